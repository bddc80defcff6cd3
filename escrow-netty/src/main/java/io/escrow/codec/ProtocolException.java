package io.escrow.codec;

import io.netty.handler.codec.DecoderException;
import java.io.Serial;

/** Thrown when the bytes on the wire can't be trusted any more. The session ends. */
public final class ProtocolException extends DecoderException {

    @Serial
    private static final long serialVersionUID = 1;

    /**
     * Makes an exception.
     *
     * @param text what was wrong, the value and the bound
     */
    public ProtocolException(String text) {
        super(text);
    }
}
