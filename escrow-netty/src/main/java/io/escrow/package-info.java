/**
 * Values and errors that every user of the escrow sees: where a slot is, what it holds, and what may go wrong.
 *
 * <p>This package knows neither the wire nor the client; everything else may use it.
 */
package io.escrow;
