package io.escrow.daemon;

import io.escrow.Limits;
import io.escrow.daemon.config.StoreLimits;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Lets clients do whatever they can at random. A failure tells its seed, which {@code -Descrow.model.seed} sets; {@code
 * -Descrow.model.steps} says how long it takes.
 */
class ModelTest {

    private static final long SEED = Long.getLong("escrow.model.seed", new Random().nextLong());
    private static final int STEPS = Integer.getInteger("escrow.model.steps", 1_500);

    @TempDir
    Path directory;

    /** Packets and store are full all the time. */
    @Test
    void fewSlots() throws IOException {
        run(
                new ModelRun(directory, SEED, new Limits(4, 64, 256, 3, 5, 2, 16), new StoreLimits(12, 300, 6), 5, 20),
                STEPS);
    }

    /** Bulk calls take many packets, and a listing takes pages. */
    @Test
    void manySlots() throws IOException {
        run(
                new ModelRun(
                        directory,
                        SEED,
                        new Limits(1, 32, 64 * 1024, 128, 1024, 2, 8),
                        new StoreLimits(3_000, 40_000, 500),
                        4_000,
                        1_000),
                STEPS / 50);
    }

    private static void run(ModelRun run, int steps) {
        System.err.println("model: " + steps + " steps, -Descrow.model.seed=" + SEED);
        try (run) {
            for (int i = 0; i < steps; i++) {
                try {
                    run.step();
                } catch (Throwable e) {
                    throw new AssertionError(
                            "seed " + SEED + ", step " + i + " of " + steps + "; what was done last:\n" + run.done(),
                            e);
                }
            }
            run.checkAll();
        }
    }
}
