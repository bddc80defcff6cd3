package io.escrow.testing;

import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

@SuppressWarnings("StaticAssignmentOfThrowable") // never thrown from where they are made
class SkipGateTest {

    private static final Exception UNEXPECTED = new TestAbortedException("Assumption failed: python3 is missing");
    private static final Exception EXPECTED = new TestAbortedException("Assumption failed: no io_uring");

    private static Throwable outcome(boolean strict, Exception thrown) {
        SkipGate gate = new SkipGate(strict);
        Throwable outcome =
                assertThrows(Throwable.class, () -> gate.handleBeforeEachMethodExecutionException(null, thrown));
        assertSame(
                outcome.getClass(),
                assertThrows(Throwable.class, () -> gate.handleBeforeAllMethodExecutionException(null, thrown))
                        .getClass());
        assertSame(
                outcome.getClass(),
                assertThrows(Throwable.class, () -> gate.handleTestExecutionException(null, thrown))
                        .getClass());
        return outcome;
    }

    @Test
    void failsTestThatIsSkippedUnexpectedly() {
        assertSame(AssertionError.class, outcome(true, UNEXPECTED).getClass());
    }

    @Test
    void leavesTestThatIsSkippedForAReasonOnTheList() {
        assertSame(EXPECTED, outcome(true, EXPECTED));
    }

    @Test
    void leavesEveryOtherFailure() {
        Exception failure = new IllegalStateException("no io_uring");
        assertSame(failure, outcome(true, failure));
    }

    @Test
    void leavesEverySkippedTestOnOtherMachines() {
        assertSame(UNEXPECTED, outcome(false, UNEXPECTED));
    }
}
