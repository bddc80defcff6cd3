package io.escrow.codec;

/** Numbers the kinds of frames (PROTOCOL.md, "Frames"). */
enum Opcode {
    HEL(1, true, 0),
    ADD(2, true, FrameCodec.DESCRIPTOR | FrameCodec.STAND_IN | FrameCodec.KEEP_FLAGS | FrameCodec.FAREWELL),
    GET(3, true, 0),
    DEL(4, true, 0),
    REP(5, false, 0),
    TAG(6, true, 0),
    INF(7, false, 0),
    LST(8, true, FrameCodec.LOOK),
    UPD(9, true, FrameCodec.FAREWELL);

    private static final Opcode[] BY_CODE = new Opcode[10];

    static {
        for (Opcode opcode : values()) {
            BY_CODE[opcode.code] = opcode;
        }
    }

    final int code;
    /** Whether a client may send it. */
    final boolean request;
    /** The flags that a request may have. */
    final int flags;

    Opcode(int code, boolean request, int flags) {
        this.code = code;
        this.request = request;
        this.flags = flags;
    }

    /** Returns the opcode of that number, or {@code null}. */
    static Opcode of(int code) {
        return code < BY_CODE.length ? BY_CODE[code] : null;
    }
}
