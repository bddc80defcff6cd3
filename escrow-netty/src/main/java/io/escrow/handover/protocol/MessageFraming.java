package io.escrow.handover.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.DecoderResultProvider;

/**
 * Finds the ends of the messages that come in on one connection. With it, a {@link FramedProtocol} gives a decoder whole
 * messages only.
 *
 * <pre>{@code
 * final class LineFraming implements MessageFraming {
 *     public long next(ByteBuf in) {
 *         return in.bytesBefore((byte) '\n') + 1;
 *     }
 * }
 * }</pre>
 *
 * <p>There is one object for each connection, called on its event loop. Between two messages it is as a new one is: the
 * next process makes its own.
 */
public interface MessageFraming {

    /** Stands for bytes that are no message. */
    long MALFORMED = -1;

    /**
     * Returns how long the next part of the input is: a message, or a part of one if {@link #isInMessage} says so. A part
     * that is not there completely is kept until it is, if it is no longer than {@link ProtocolConnection#MAX_KEPT}; a
     * longer one goes to the decoder as it comes. This method is asked again behind the part.
     *
     * @param in what has come in, from the beginning of the part; at least one byte. It may be read: the caller sets its
     *     reader index back
     * @return the length in bytes, which may be more than {@code in} has; 0 if more bytes are needed to know it, and then
     *     nothing may be remembered; {@link #MALFORMED} if these bytes are no message. Malformed bytes, and whatever
     *     follows, go to the decoder as they come, and the connection is not moved any more. The same happens when 0 is
     *     returned for more than {@link ProtocolConnection#MAX_KEPT} bytes
     */
    long next(ByteBuf in);

    /**
     * Returns whether the part that {@link #next} has last returned leaves its message unfinished. By default each part is
     * a whole message.
     *
     * @return whether the next part belongs to the same message
     */
    default boolean isInMessage() {
        return false;
    }

    /**
     * Returns whether a message that the decoder has made says that the decoder has failed. Then it is not known what the
     * decoder makes of the bytes that follow, and the connection is not moved any more. The same is true when it throws a
     * {@link io.netty.handler.codec.DecoderException}.
     *
     * @param decoded what the decoder has made; belongs to the caller
     * @return whether the decoder has failed; by default what the message's {@code decoderResult()} says, if it has one
     */
    default boolean isFailure(Object decoded) {
        return decoded instanceof DecoderResultProvider result
                && result.decoderResult().isFailure();
    }
}
