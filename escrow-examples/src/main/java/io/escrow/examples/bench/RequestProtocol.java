package io.escrow.examples.bench;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.Locale;

/** The protocols of {@code bench requests}. What clients send is ready-made: they are to be cheaper than the server. */
enum RequestProtocol {
    ECHO,
    HTTP,
    WEBSOCKET;

    static final String PATH = "/echo";

    /** The longest content that a request or an answer may have, in bytes. */
    static final int MAX_LENGTH = 0xffff;

    private static final int LONGEST_SHORT_FRAME = 125;
    private static final int LONGER_FRAME = 126;
    private static final ByteBuf END_OF_HEAD = bytes("\r\n\r\n");

    private static ByteBuf bytes(String text) {
        byte[] bytes = text.getBytes(ISO_8859_1);
        return Unpooled.unreleasableBuffer(Unpooled.wrappedBuffer(
                ByteBuffer.allocateDirect(bytes.length).put(bytes).flip()));
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Returns what a client sends first, and is answered with a head; empty if it begins with a request. */
    ByteBuf handshake() {
        return bytes(
                this == WEBSOCKET
                        ? "GET " + PATH + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                        : "");
    }

    /**
     * Returns a request.
     *
     * @param length the bytes of the content of a request, or, with HTTP, of its answer
     */
    ByteBuf request(int length) {
        String content = "\0".repeat(length);
        return bytes(
                switch (this) {
                    case ECHO -> content;
                    case HTTP -> "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
                    // A binary frame with a mask of zeros.
                    case WEBSOCKET -> "\u0082" + frameLength(0x80, length) + "\0\0\0\0" + content;
                });
    }

    private static String frameLength(int mask, int length) {
        return length > LONGEST_SHORT_FRAME
                ? "" + (char) (mask | LONGER_FRAME) + (char) (length >> Byte.SIZE) + (char) (length & 0xff)
                : "" + (char) (mask | length);
    }

    /** Returns the length of an answer with a content of so many bytes; 0 if too little of the first one is there. */
    int answerLength(ByteBuf in, int length) {
        return switch (this) {
            case ECHO -> length;
            case WEBSOCKET -> 1 + frameLength(0, length).length() + length;
            case HTTP -> headLength(in) == 0 ? 0 : headLength(in) + length;
        };
    }

    /** Returns the length of a head, with its end; 0 if its end is not there yet. */
    static int headLength(ByteBuf in) {
        int end = ByteBufUtil.indexOf(END_OF_HEAD, in);
        return end < 0 ? 0 : end - in.readerIndex() + END_OF_HEAD.readableBytes();
    }
}
