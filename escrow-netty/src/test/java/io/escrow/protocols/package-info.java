/** A protocol as a user of the library would write one: it uses the public API only. */
package io.escrow.protocols;
