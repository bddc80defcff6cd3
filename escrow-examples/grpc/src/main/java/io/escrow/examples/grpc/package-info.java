/** A server of gRPC-Java that is handed over, and a client that shows that no call fails. */
package io.escrow.examples.grpc;
