/**
 * What the kernel and the operating system know: processes, open files, sockets and their peers, users and groups. Uses no
 * other package of the daemon.
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.kernel;
