package io.escrow.testing;

import java.util.Map;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.LifecycleMethodExecutionExceptionHandler;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;
import org.opentest4j.TestAbortedException;

/**
 * Fails a test that skips itself in continuous integration, where the environment has {@code CI=true}, unless what it
 * misses is on the list of what a machine need not have. Everywhere else a test may skip itself. JUnit does not ask this
 * about tests that are disabled by annotation: {@link PackageRules#checkNoTestIsDisabled} finds those.
 *
 * <p>JUnit finds it through {@code META-INF/services}, as {@link LeakGate}.
 */
public final class SkipGate implements TestExecutionExceptionHandler, LifecycleMethodExecutionExceptionHandler {

    /** What assumptions say, and why a machine need not fulfil them. */
    private static final Map<String, String> EXPECTED = Map.of(
            "no io_uring", "a kernel can be without it, and a container can forbid it",
            "standard input is a device here, which takes io_uring", "the same",
            "only root becomes somebody else", "tests need not run as root",
            "nobody else may read temporary files", "the directory of temporary files can be the user's own",
            "nobody else may enter the directory of temporary files", "the same");

    private final boolean strict;

    /** Makes one that is strict in continuous integration; called by JUnit. */
    public SkipGate() {
        this("true".equals(System.getenv("CI")));
    }

    SkipGate(boolean strict) {
        this.strict = strict;
    }

    /** Throws what is to become of a test: the same exception, or the failure in its place. */
    private void check(Throwable thrown) throws Throwable {
        if (strict && thrown instanceof TestAbortedException aborted && !isExpected(aborted)) {
            throw new AssertionError(
                    "skipped, which fails where CI=true: install what it misses, or add the reason to SkipGate",
                    aborted);
        }
        throw thrown;
    }

    private static boolean isExpected(TestAbortedException aborted) {
        String message = String.valueOf(aborted.getMessage());
        return EXPECTED.keySet().stream().anyMatch(message::contains);
    }

    @Override
    public void handleTestExecutionException(ExtensionContext context, Throwable thrown) throws Throwable {
        check(thrown);
    }

    @Override
    public void handleBeforeAllMethodExecutionException(ExtensionContext context, Throwable thrown) throws Throwable {
        check(thrown);
    }

    @Override
    public void handleBeforeEachMethodExecutionException(ExtensionContext context, Throwable thrown) throws Throwable {
        check(thrown);
    }
}
