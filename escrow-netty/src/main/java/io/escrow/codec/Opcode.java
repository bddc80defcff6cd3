package io.escrow.codec;

/** Numbers the kinds of frames (PROTOCOL.md, "Frames"). */
enum Opcode {
    HEL(1),
    ADD(2),
    GET(3),
    DEL(4),
    REP(5),
    TAG(6),
    INF(7),
    LST(8),
    UPD(9);

    private static final Opcode[] BY_CODE = new Opcode[10];

    static {
        for (Opcode opcode : values()) {
            BY_CODE[opcode.code] = opcode;
        }
    }

    final int code;

    Opcode(int code) {
        this.code = code;
    }

    /** Returns the opcode of that number, or {@code null}. */
    static Opcode of(int code) {
        return code < BY_CODE.length ? BY_CODE[code] : null;
    }
}
