/** How a daemon is configured: its options, limits, timeouts and access. Immutable values, checked when they are made. */
package io.escrow.daemon.config;
