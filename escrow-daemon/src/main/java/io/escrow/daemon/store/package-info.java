/**
 * The slots, and what becomes of them while there is no session. Used on the daemon's event loop only.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.store;
