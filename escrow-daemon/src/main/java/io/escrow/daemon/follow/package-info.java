/**
 * What a daemon and its successor say to each other: the link (docs/architecture.md, "The link between two daemons").
 *
 * <p>Internal: may change at any time, not part of the API.
 */
package io.escrow.daemon.follow;
