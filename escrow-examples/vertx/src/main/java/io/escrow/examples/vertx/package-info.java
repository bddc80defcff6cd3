/** An HTTP server of Vert.x that is handed over. */
package io.escrow.examples.vertx;
