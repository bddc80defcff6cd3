package io.escrow.examples.records;

import io.netty.handler.codec.DecoderException;
import java.io.Serial;

/** Thrown when an answer differs from what was sent by more than a gap. */
final class WrongBytesException extends DecoderException {

    @Serial
    private static final long serialVersionUID = 1;

    WrongBytesException(String text) {
        super(text);
    }
}
