package io.escrow.examples.bench;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.Locale;

/** What the clients of {@code bench requests} send, ready-made: they are to be cheaper than the server. */
@SuppressWarnings("ImmutableEnumChecker") // nobody gets the buffers, only duplicates of them
enum RequestProtocol {
    ECHO("", content()),
    HTTP("", "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"),
    WEBSOCKET(
            "GET " + RequestProtocol.PATH + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                    + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            // A binary frame with a mask of zeros.
            "\u0082" + (char) (0x80 | RequestProtocol.LENGTH) + "\0\0\0\0" + content());

    /** The length of what is sent with a request or an answer, in bytes. */
    static final int LENGTH = 64;

    static final String PATH = "/echo";

    private static final int WEBSOCKET_HEADER = 2;
    private static final ByteBuf END_OF_HEAD = bytes("\r\n\r\n");

    private final ByteBuf handshake;
    private final ByteBuf request;

    RequestProtocol(String handshake, String request) {
        this.handshake = bytes(handshake);
        this.request = bytes(request);
    }

    private static String content() {
        return "\0".repeat(LENGTH);
    }

    private static ByteBuf bytes(String text) {
        return Unpooled.unreleasableBuffer(Unpooled.directBuffer().writeBytes(text.getBytes(ISO_8859_1)));
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Returns what a client sends first, and is answered with a head; empty if it begins with a request. */
    ByteBuf handshake() {
        return handshake.duplicate();
    }

    ByteBuf request() {
        return request.duplicate();
    }

    /** Returns the length of an answer; 0 if too little of the first one is there. */
    int answerLength(ByteBuf in) {
        return switch (this) {
            case ECHO -> LENGTH;
            case WEBSOCKET -> WEBSOCKET_HEADER + LENGTH;
            case HTTP -> headLength(in) == 0 ? 0 : headLength(in) + LENGTH;
        };
    }

    /** Returns the length of a head, with its end; 0 if its end is not there yet. */
    static int headLength(ByteBuf in) {
        int end = ByteBufUtil.indexOf(END_OF_HEAD, in);
        return end < 0 ? 0 : end - in.readerIndex() + END_OF_HEAD.readableBytes();
    }
}
