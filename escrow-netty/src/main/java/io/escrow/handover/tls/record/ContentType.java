package io.escrow.handover.tls.record;

/** Lists the types of records (RFC 8446, 5.1). */
public final class ContentType {

    /** In TLS 1.2, and in the handshake of 1.3. */
    public static final int CHANGE_CIPHER_SPEC = 20;

    /** An alert. */
    public static final int ALERT = 21;

    /** Messages of the handshake, of which some are sent after it. */
    public static final int HANDSHAKE = 22;

    /** Data of the application. In TLS 1.3 the header of each encrypted record says so, too. */
    public static final int APPLICATION_DATA = 23;

    private ContentType() {}
}
