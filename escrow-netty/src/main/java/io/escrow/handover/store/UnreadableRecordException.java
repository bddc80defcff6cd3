package io.escrow.handover.store;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.io.Serial;

/**
 * Is thrown when a slot holds no record that this version can read. Its bytes may be right all the same, for another version
 * or another program, so the slot must be left as it is.
 */
public final class UnreadableRecordException extends EscrowException {

    @Serial
    private static final long serialVersionUID = 1;

    private final int lowest;
    private final int version;

    private UnreadableRecordException(Status status, String text, int lowest, int version, Throwable cause) {
        super(status, text, cause);
        this.lowest = lowest;
        this.version = version;
    }

    /** Makes the exception for a record that only later versions can read. */
    static UnreadableRecordException tooNew(int lowest, int version) {
        return new UnreadableRecordException(
                Status.EOPNOTSUPP,
                "the record needs a reader of version " + lowest + " or later (this one: " + ChannelRecord.VERSION
                        + "); it was written by version " + version + "; start that version or a later one to adopt it",
                lowest,
                version,
                null);
    }

    /** Makes the exception for bytes that are no record of any version, or are not complete. */
    static UnreadableRecordException notARecord(String text) {
        return notARecord(text, null);
    }

    /** Makes the exception for bytes that are no record of any version, or are not complete. */
    static UnreadableRecordException notARecord(String text, Throwable cause) {
        return new UnreadableRecordException(Status.EINVAL, text, 0, 0, cause);
    }

    /**
     * Returns whether a later version can read the record.
     *
     * @return {@code false} if the bytes are no record of any version, or are not complete
     */
    public boolean isTooNew() {
        return lowest > 0;
    }

    /** Returns the lowest version that a reader must know; 0 if that is not known. */
    public int lowest() {
        return lowest;
    }

    /** Returns the version that wrote the record; 0 if that is not known. */
    public int version() {
        return version;
    }
}
