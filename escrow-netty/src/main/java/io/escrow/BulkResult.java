package io.escrow;

import java.util.Map;

/**
 * Contains the result of a bulk call. A slot that fails does not stop the others.
 *
 * @param succeeded how many slots were stored, fetched or deleted
 * @param failures the slots that were refused, with the daemon's reason, in the order of the requests; if the client
 *     has connected again meanwhile, also those in doubt, with an {@link EscrowConnectionException}
 */
public record BulkResult(int succeeded, Map<SlotKey, EscrowException> failures) {

    /**
     * Returns this result if nothing failed.
     *
     * @return this result
     * @throws EscrowException the first failure, when there is one
     */
    public BulkResult orThrow() throws EscrowException {
        if (!failures.isEmpty()) {
            throw failures.values().iterator().next();
        }
        return this;
    }
}
