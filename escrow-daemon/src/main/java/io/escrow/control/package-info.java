/**
 * What the daemon answers on its control socket {@code PATH.ctl}: JSON, of which each record here is an object. Both sides
 * use them. A component that is {@code null} is left out. The JSON is described in docs/operations.md.
 *
 * <p>Internal: these classes may change at any time, and are not part of the API; the JSON is.
 */
package io.escrow.control;
