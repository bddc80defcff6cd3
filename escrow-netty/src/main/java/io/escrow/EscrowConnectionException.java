package io.escrow;

import java.io.Serial;

/** Thrown when the connection to the daemon ends before a request is answered. */
public class EscrowConnectionException extends EscrowException {

    @Serial
    private static final long serialVersionUID = 1;

    private final boolean maybeCarriedOut;

    /**
     * Makes an exception.
     *
     * @param text what happened, in one sentence
     * @param maybeCarriedOut whether the request may have been carried out
     * @param cause the cause; may be {@code null}
     */
    public EscrowConnectionException(String text, boolean maybeCarriedOut, Throwable cause) {
        super(
                Status.ECONNRESET,
                text + (maybeCarriedOut ? "; the request may have been carried out" : "; the request was not sent"),
                cause);
        this.maybeCarriedOut = maybeCarriedOut;
    }

    /**
     * Returns whether the daemon may have carried out the request although its answer never came.
     *
     * @return {@code false} when the request was certainly not sent
     */
    public boolean maybeCarriedOut() {
        return maybeCarriedOut;
    }
}
