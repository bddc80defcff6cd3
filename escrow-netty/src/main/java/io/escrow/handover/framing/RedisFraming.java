package io.escrow.handover.framing;

import io.escrow.handover.protocol.MessageFraming;
import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;

/**
 * Finds the ends of RESP messages. An array is one message with all that is in it, so that aggregators have collected
 * nothing between two. What is longer than can be kept goes to the decoder element by element.
 */
final class RedisFraming implements MessageFraming {

    private static final int MAX_BULK = 512 * 1024 * 1024;
    private static final int MAX_DIGITS = 20;

    /** How many elements are still to come of the message that has begun. */
    private long open;

    /** Where the element ends that was looked at last; it may be beyond what is there. */
    private long end;

    /** How many elements are still to come behind it. */
    private long left;

    @Override
    public long next(ByteBuf in) {
        int start = in.readerIndex();
        left = Math.max(1, open);
        long before = left;
        long at = start;
        boolean piecemeal = open > 0 || in.readableBytes() > ProtocolConnection.MAX_KEPT;
        while (at < in.writerIndex()) {
            before = left;
            end = 0;
            if (!element(in, (int) at)) {
                return MALFORMED;
            }
            if (end == 0) {
                left = before;
                break;
            }
            if (left == 0 || (piecemeal && at == start && end > in.writerIndex())) {
                open = left;
                return end - start;
            }
            if (end > in.writerIndex()) {
                left = before;
                break;
            }
            at = end;
        }
        if (!piecemeal || at == start) {
            return 0;
        }
        open = left;
        return at - start;
    }

    @Override
    public boolean isInMessage() {
        return open > 0;
    }

    /** Looks at an element; returns whether it is one. Its end is 0 if that is not known yet. */
    private boolean element(ByteBuf in, int at) {
        int lineFeed = in.indexOf(at, in.writerIndex(), (byte) '\n');
        byte type = in.getByte(at);
        boolean counted = type == '*' || type == '$';
        if (lineFeed < 0) {
            return !counted || in.writerIndex() - at <= MAX_DIGITS + 2;
        }
        left--;
        end = lineFeed + 1L;
        if (counted) {
            long number = number(in, at + 1, lineFeed - 1);
            if (number < -1 || number > (type == '*' ? Integer.MAX_VALUE : MAX_BULK)) {
                return false;
            }
            if (type == '*') {
                left += Math.max(0, number);
            } else if (number >= 0) {
                end += number + 2;
            }
        }
        return true;
    }

    /** Reads a number that ends before a carriage return; returns {@link Long#MIN_VALUE} if it is none. */
    private static long number(ByteBuf in, int from, int carriageReturn) {
        boolean negative = from < carriageReturn && in.getByte(from) == '-';
        int first = negative ? from + 1 : from;
        if (first >= carriageReturn || carriageReturn - first >= MAX_DIGITS || in.getByte(carriageReturn) != '\r') {
            return Long.MIN_VALUE;
        }
        long value = 0;
        for (int i = first; i < carriageReturn; i++) {
            int digit = in.getByte(i) - '0';
            if (digit < 0 || digit > 9) {
                return Long.MIN_VALUE;
            }
            value = value * 10 + digit;
        }
        return negative ? -value : value;
    }
}
