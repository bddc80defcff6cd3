/**
 * Code that the packages of the library and the daemon share. Internal: not part of the API, and changed without notice.
 *
 * <p>This package may use {@code io.escrow} and Netty, and nothing else of the library.
 */
package io.escrow.internal;
