/** Compiles only if the names of escrow's modules stand, and no package is in two of them. */
module com.example.consumer {
    requires io.escrow;
    requires io.escrow.daemon;
    requires io.netty.transport.unix.common;
}
