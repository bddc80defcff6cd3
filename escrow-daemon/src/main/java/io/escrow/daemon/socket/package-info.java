/**
 * The daemon's sockets in the file system: the claim of a path, how a socket gets there, and which clients may connect.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.socket;
