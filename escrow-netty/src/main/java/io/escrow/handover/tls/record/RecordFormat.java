package io.escrow.handover.tls.record;

/** The sizes of records. */
final class RecordFormat {

    static final int HEADER = 5;
    /** What authenticates a record, behind its content. */
    static final int TAG = 16;

    static final int NONCE = 12;
    /** The most bytes of content in a record. */
    static final int MAX_CONTENT = 1 << 14;
    /** The most bytes that padding may add to a record of TLS 1.3 (RFC 8446, 5.2), beside its type and tag. */
    static final int MAX_PADDING = 256 - TAG - 1;
    /** The longest record, with its header. */
    static final int MAX_RECORD = HEADER + MAX_CONTENT + 256;
    /** What the header of each record says: that of TLS 1.2. */
    static final short VERSION = 0x0303;

    private RecordFormat() {}
}
