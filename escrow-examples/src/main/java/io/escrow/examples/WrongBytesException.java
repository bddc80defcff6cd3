package io.escrow.examples;

import io.netty.handler.codec.DecoderException;
import java.io.Serial;

/** Says that what came back is not what was sent, also when something may be missing. */
final class WrongBytesException extends DecoderException {

    @Serial
    private static final long serialVersionUID = 1;

    WrongBytesException(String text) {
        super(text);
    }
}
