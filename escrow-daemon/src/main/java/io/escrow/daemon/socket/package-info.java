/**
 * The daemon's sockets in the file system: who may have a path, how a socket gets there, and who may connect.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.socket;
