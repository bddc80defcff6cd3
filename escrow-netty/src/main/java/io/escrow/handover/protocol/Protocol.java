package io.escrow.handover.protocol;

/**
 * Lets the connections of one protocol move to the next process in the middle of whatever they are doing.
 *
 * <p>A server needs a protocol when a decoder of the pipeline keeps state inside a message, so that its bytes can't be
 * taken out of it, or when something must be done before a fresh pipeline can go on with a connection. HTTP/1.1 with
 * WebSocket is built in, and uses nothing but this interface.
 *
 * <p>Protocols are found by {@link java.util.ServiceLoader} with the class loader of this interface, and given to {@code
 * ServerHandoverBuilder.protocol}. One object serves all connections of a server. Of the protocols that recognise a
 * connection the first has it: those that were given to the builder come first, in their order.
 */
public interface Protocol {

    /**
     * Returns the name under which the state of a connection is stored.
     *
     * @return a name that no other protocol of the server has, and that is the same in the next version of the program;
     *     1 to 100 printable ASCII characters
     */
    String name();

    /**
     * Recognises a connection by its pipeline. May add handlers of its own to the pipeline. Called once for each
     * connection, on its event loop, when the pipeline is built and before the first read; and once more at the end of a
     * TLS handshake, which may have completed the pipeline, if no protocol has recognised it before. When this method throws an
     * exception, an accepted connection is closed, and one that was handed over is left as if it could not be restored.
     *
     * @param context the connection
     * @return what this protocol knows about the connection; {@code null} if the connection speaks something else
     */
    ProtocolConnection recognise(ProtocolContext context);
}
