package io.escrow.handover.tls.record;

/** Where a connection is between two records: the numbers of the next ones, and which keys they are of. Filled in again and again. */
public final class TlsPosition {

    private long reads;
    private long writes;
    private Object readKey;
    private Object writeKey;
    private int keys;

    /**
     * Fills it in.
     *
     * @param reads the number of the next record of the client
     * @param writes the number of the next record of the server
     * @param readKey is another object when the client writes with another key; only its identity counts
     * @param writeKey the same of the server
     */
    public void set(long reads, long writes, Object readKey, Object writeKey) {
        this.reads = reads;
        this.writes = writes;
        if (this.readKey != readKey || this.writeKey != writeKey) {
            this.readKey = readKey;
            this.writeKey = writeKey;
            keys++;
        }
    }

    /** Returns the number of the next record of the client. */
    public long reads() {
        return reads;
    }

    /** Returns the number of the next record of the server. */
    public long writes() {
        return writes;
    }

    /** Returns another number when a side writes with another key; 0 before it was filled in. */
    public int keys() {
        return keys;
    }
}
