package io.escrow.daemon.follow;

import io.escrow.EscrowException;
import io.escrow.Status;

/**
 * The first frame of each side. The link speaks the newest version that both know, and uses the features that both have.
 * What comes behind the fields of this version is ignored, and so are features that are not known.
 *
 * @param oldest the oldest version of the link that the sender speaks
 * @param newest the newest version
 * @param features the sender's features
 * @param program the version of the sender's program, for the log
 */
public record LinkHello(int oldest, int newest, long features, String program) {

    /** Receives descriptors without changing the flags of their open files. */
    public static final long KEEPS_FLAGS = 1;

    /** A follower: stays, until the primary ends. A primary: lets followers stay. */
    public static final long STAYS = 2;

    /** Goes on with a session in which the descriptors of each packet come in one message. */
    public static final long BATCHES = 4;

    /** A follower: receives the descriptors of each packet of the link in one message. A primary: sends them so. */
    public static final long LINK_BATCHES = 8;

    private static final int VERSION = 1;

    /**
     * Makes the hello of this program.
     *
     * @param keepsFlags whether it can use io_uring, which all features take that are about descriptors
     * @param batches whether the link may use it to send many descriptors in a message
     */
    public static LinkHello own(boolean keepsFlags, boolean batches, String program) {
        long features = keepsFlags ? KEEPS_FLAGS | BATCHES : 0;
        return new LinkHello(VERSION, VERSION, keepsFlags && batches ? features | LINK_BATCHES : features, program);
    }

    /** Returns the same hello with a feature more. */
    public LinkHello with(long feature) {
        return new LinkHello(oldest, newest, features | feature, program);
    }

    /** Returns the same hello without a feature. */
    public LinkHello without(long feature) {
        return new LinkHello(oldest, newest, features & ~feature, program);
    }

    /** Returns whether the sender has a feature. */
    boolean has(long feature) {
        return (features & feature) != 0;
    }

    /**
     * Checks that both sides have a version in common.
     *
     * @throws EscrowException if they have none
     */
    void check(LinkHello other) throws EscrowException {
        if (Math.min(newest, other.newest) < Math.max(oldest, other.oldest)) {
            throw new EscrowException(
                    Status.EPROTO,
                    "versions of the link: escrowd " + other.program + " speaks " + other.oldest + ".." + other.newest
                            + " (expected by escrowd " + program + ": " + oldest + ".." + newest + ")");
        }
    }

    LinkFrame frame() {
        return LinkFrame.of(
                LinkKind.HELLO,
                Fields.write().put(oldest).put(newest).put(features).put(program));
    }

    static LinkHello of(LinkFrame frame) {
        Fields in = frame.body();
        return new LinkHello(in.getInt(), in.getInt(), in.getLong(), in.getText());
    }
}
