/** Tests with real processes: servers that are handed over and killed, and the clients of the JDK. */
package io.escrow.examples.vertx;
