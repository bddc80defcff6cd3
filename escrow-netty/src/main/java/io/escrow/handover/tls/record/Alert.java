package io.escrow.handover.tls.record;

/** The alerts that are sent or understood (RFC 8446, 6). */
enum Alert {
    CLOSE_NOTIFY(0),
    UNEXPECTED_MESSAGE(10),
    BAD_RECORD_MAC(20),
    RECORD_OVERFLOW(22),
    ILLEGAL_PARAMETER(47),
    DECODE_ERROR(50),
    PROTOCOL_VERSION(70),
    INTERNAL_ERROR(80),
    USER_CANCELED(90),
    NO_RENEGOTIATION(100);

    static final int WARNING = 1;
    static final int FATAL = 2;

    private final int code;

    Alert(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
