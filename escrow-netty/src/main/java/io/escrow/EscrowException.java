package io.escrow;

import java.io.IOException;
import java.io.Serial;

/** Thrown when a request fails: the daemon refused it, or it could not be sent. */
public class EscrowException extends IOException {

    @Serial
    private static final long serialVersionUID = 1;

    private final Status status;
    private final String text;

    /**
     * Makes an exception without a cause.
     *
     * @param status why the request failed
     * @param text what was wrong, the value and the bound, in one sentence
     */
    public EscrowException(Status status, String text) {
        this(status, text, null);
    }

    /**
     * Makes an exception with a cause.
     *
     * @param status why the request failed
     * @param text what was wrong, the value and the bound, in one sentence
     * @param cause the cause; may be {@code null}
     */
    public EscrowException(Status status, String text, Throwable cause) {
        super(status + ": " + text, cause);
        this.status = status;
        this.text = text;
    }

    /**
     * Returns what was wrong, without the name of the status that starts the message.
     *
     * @return one sentence
     */
    public String text() {
        return text;
    }

    /**
     * Returns why the request failed.
     *
     * @return the status; never {@link Status#OK}
     */
    public Status status() {
        return status;
    }
}
