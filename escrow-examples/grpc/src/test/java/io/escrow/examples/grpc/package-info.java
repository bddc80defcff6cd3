/** Tests with real processes: servers that are handed over and killed, and clients of grpc-java. */
package io.escrow.examples.grpc;
