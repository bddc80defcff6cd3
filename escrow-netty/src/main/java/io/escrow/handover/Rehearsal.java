package io.escrow.handover;

import io.escrow.handover.store.ChannelRecord;
import java.util.Collection;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;

/**
 * Moves connections of its own from this process to itself, in waves, so that the Java virtual machine has loaded and compiled what a
 * handover consists of: a handover happens once in a process, and with cold code each wave takes several times as long.
 *
 * <p>What was compiled for other classes than those of the real handover is thrown away when that begins. So the connections are of the
 * same kind as the server's, with a protocol and without, the event loops are of both classes that Netty has, and every other move goes
 * through the escrow, as all do without waves. What only many connections bring about, {@link RehearsalCrowd} does.
 *
 * <p>Nobody sees it: a {@link RehearsalStage} has all that it needs.
 */
final class Rehearsal {

    /** How many connections are moved: what runs once for each of them is compiled for good behind some 5,000. */
    static final int CONNECTIONS = 6_200;

    /** How often it begins anew, with event loops of its own: what happens once in a loop is to have happened, too. */
    static final int ACTS = 5;

    /** How many acts are short ones, so that both classes of event loops are known before anything is compiled for good. */
    private static final int SHORT_ACTS = 2;

    /** How many connections are moved in a short act. */
    private static final int SHORT = 4 * RehearsalStage.WAVE;

    /** How long all moves of an act may take. */
    private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final Logger logger = HandoverLog.LOGGER;

    private Rehearsal() {}

    /**
     * How many connections were moved.
     *
     * @param all with and without TLS
     * @param encrypted those with TLS
     */
    record Moved(int all, int encrypted) {

        private Moved with(Collection<ChannelRecord> wave) {
            int keys = (int) wave.stream().filter(ChannelRecord::hasKeys).count();
            return plus(new Moved(wave.size(), keys));
        }

        private Moved plus(Moved more) {
            return new Moved(all + more.all, encrypted + more.encrypted);
        }
    }

    /** Begins to rehearse, on a thread of its own, unless this process has done so before. */
    static void begin(RehearsalTime time, RehearsalKind kind) {
        if (time.begin(kind.tls())) {
            Thread thread = new Thread(
                    () -> {
                        PreloadedClasses.await();
                        hold(time, CONNECTIONS, kind);
                    },
                    RehearsalStage.NAME);
            thread.setDaemon(true);
            thread.start();
        }
    }

    /**
     * Rehearses. Nothing is lost if that fails.
     *
     * @param time says before each move when it may begin
     * @param connections how many are moved, in {@value #ACTS} acts, of which the first {@value #SHORT_ACTS} are short
     * @return how many connections were moved
     */
    static Moved hold(RehearsalTime time, int connections, RehearsalKind kind) {
        Moved moved = new Moved(0, 0);
        try {
            if (!time.await(0)) {
                return moved;
            }
            RehearsalCrowd.loadLate();
            RehearsalKind available = kind.available();
            int few = Math.min(SHORT, connections / ACTS);
            int many = (connections - SHORT_ACTS * few) / (ACTS - SHORT_ACTS);
            for (int act = 0; act < ACTS && time.await(0); act++) {
                moved = moved.plus(act(time, act < SHORT_ACTS ? few : many, available, act % 2 == 1));
            }
            logger.debug(
                    "rehearsed a handover with {} connections of its own, {} of them with TLS",
                    moved.all(),
                    moved.encrypted());
        } catch (Throwable e) {
            logger.debug("a handover is not rehearsed any further", e);
        }
        return moved;
    }

    private static Moved act(RehearsalTime time, int connections, RehearsalKind kind, boolean isOf41) throws Exception {
        Moved moved = new Moved(0, 0);
        long spent = 0;
        long last = 0;
        try (RehearsalStage stage = new RehearsalStage(kind, isOf41)) {
            stage.begin();
            boolean stored = false;
            while (moved.all() < connections && spent < LONGEST_NANOS && time.await(last)) {
                final long began = System.nanoTime();
                moved = moved.with(stage.move(stored, !stored));
                stored = !stored;
                last = System.nanoTime() - began;
                spent += last;
            }
        }
        return moved;
    }
}
