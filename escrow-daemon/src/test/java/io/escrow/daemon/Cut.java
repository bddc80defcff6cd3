package io.escrow.daemon;

/** Where in a {@link Message} somebody dies, or falls silent: only what is before has been sent, or read. */
enum Cut {
    BEFORE(0, 0),
    IN_PRELUDE(4, 0),
    BEHIND_PRELUDE(8, 0),
    BETWEEN_DESCRIPTORS(8, 0.5),
    BEHIND_DESCRIPTORS(8, 1),
    IN_FRAME(8, 1) {
        @Override
        int frameBytes(Message message) {
            return message.frames().get(0).length / 2;
        }
    },
    BETWEEN_FRAMES(8, 1) {
        @Override
        int frameBytes(Message message) {
            return message.frames().get(0).length;
        }
    },
    BEFORE_LAST_BYTE(8, 1) {
        @Override
        int frameBytes(Message message) {
            return message.joined().length - 1;
        }
    },
    BEHIND(8, 1) {
        @Override
        int frameBytes(Message message) {
            return message.joined().length;
        }
    };

    private final int preludeBytes;
    private final double descriptors;

    Cut(int preludeBytes, double descriptors) {
        this.preludeBytes = preludeBytes;
        this.descriptors = descriptors;
    }

    /** Tells whether a message has such a place, and none before it is the same one. */
    boolean isIn(Message message) {
        return switch (this) {
            case BETWEEN_DESCRIPTORS -> message.files().size() > 1;
            case BEHIND_DESCRIPTORS -> !message.files().isEmpty();
            case BETWEEN_FRAMES -> message.frames().size() > 1;
            default -> true;
        };
    }

    int preludeBytes() {
        return preludeBytes;
    }

    int descriptors(Message message) {
        return (int) (descriptors * message.files().size());
    }

    int frameBytes(Message message) {
        return 0;
    }
}
