package io.escrow.handover.http;

import io.netty.buffer.ByteBuf;

/**
 * Finds the ends of HTTP/1.1 requests. The decoder reads first what a head says about its body, so
 * that there is one opinion about it only.
 */
final class HttpFraming {

    private enum State {
        HEAD,
        FIXED_BODY,
        CHUNK_SIZE,
        CHUNK,
        TRAILER
    }

    private State state = State.HEAD;
    /** How many bytes of the head have been looked at. */
    private int scanned;

    private boolean headBegun;
    /** What is still missing of the body or of the chunk, with its line break. */
    private long missing;

    private boolean sizeRead;
    private int digits;
    private boolean lineEmpty;

    /** Returns whether what was let through ends with the end of a request. */
    boolean isBetweenMessages() {
        return state == State.HEAD;
    }

    /** Notes that the head was followed by a body of a known length. */
    void beginBody(long length) {
        state = State.FIXED_BODY;
        missing = length;
    }

    void beginChunkedBody() {
        state = State.CHUNK_SIZE;
        beginChunkSize();
    }

    /** Forgets a body that will not be sent; returns whether it had not begun. */
    boolean cancelBody() {
        boolean cancelled = state == State.FIXED_BODY || state == State.CHUNK_SIZE;
        if (cancelled) {
            state = State.HEAD;
        }
        return cancelled;
    }

    /** Returns how many bytes may go to the decoder, see {@link HttpConnection#next}. */
    int next(ByteBuf bytes, boolean begin) {
        return switch (state) {
            case HEAD -> begin ? headLength(bytes) : 0;
            case FIXED_BODY -> {
                int length = (int) Math.min(missing, bytes.readableBytes());
                missing -= length;
                if (missing == 0) {
                    state = State.HEAD;
                }
                yield length;
            }
            default -> chunksLength(bytes);
        };
    }

    /** Finds the empty line after a head. As for the decoder, a line may end without CR. */
    private int headLength(ByteBuf bytes) {
        int start = bytes.readerIndex();
        int end = bytes.writerIndex();
        int at = start + scanned;
        while (!headBegun && at < end) {
            // The decoder skips control characters before a head.
            int c = bytes.getByte(at);
            if ((c >= 0 && c <= ' ') || c == 127) {
                at++;
            } else {
                headBegun = true;
            }
        }
        while (at < end) {
            int lineFeed = bytes.indexOf(at, end, (byte) '\n');
            if (lineFeed < 0) {
                at = end;
                break;
            }
            int next = lineFeed + 1;
            if (next < end && bytes.getByte(next) == '\r') {
                next++;
            }
            if (next == end) {
                at = lineFeed;
                break;
            }
            if (bytes.getByte(next) == '\n') {
                scanned = 0;
                headBegun = false;
                return next + 1 - start;
            }
            at = next;
        }
        scanned = at - start;
        return 0;
    }

    private int chunksLength(ByteBuf bytes) {
        int start = bytes.readerIndex();
        int end = bytes.writerIndex();
        int at = start;
        while (at < end && state != State.HEAD) {
            if (state == State.CHUNK) {
                int length = (int) Math.min(missing, end - at);
                at += length;
                missing -= length;
                if (missing == 0) {
                    state = State.CHUNK_SIZE;
                    beginChunkSize();
                }
            } else if (state == State.CHUNK_SIZE) {
                chunkSize(bytes.getByte(at++));
            } else {
                trailer(bytes.getByte(at++));
            }
        }
        return at - start;
    }

    private void beginChunkSize() {
        missing = 0;
        digits = 0;
        sizeRead = false;
    }

    private void chunkSize(byte c) {
        if (c == '\n') {
            state = missing == 0 ? State.TRAILER : State.CHUNK;
            missing += 2;
            lineEmpty = true;
        } else if (!sizeRead) {
            int digit = Character.digit(c, 16);
            if (digit >= 0 && missing <= Integer.MAX_VALUE) {
                missing = missing * 16 + digit;
                digits++;
            } else {
                sizeRead = digits > 0;
            }
        }
    }

    private void trailer(byte c) {
        if (c == '\n') {
            if (lineEmpty) {
                state = State.HEAD;
            }
            lineEmpty = true;
        } else if (c != '\r') {
            lineEmpty = false;
        }
    }
}
