package io.escrow.daemon.main;

import java.lang.reflect.Proxy;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Handles the signals that operators send to programs of all kinds, and that would end this process otherwise: SIGHUP is
 * logged, SIGUSR1 and SIGUSR2 are ignored.
 *
 * <p>By reflection, because the compiler warns of {@code sun.misc.Signal} in a way that can't be suppressed.
 */
final class Signals {

    private static final Logger logger = LoggerFactory.getLogger(Signals.class);

    private Signals() {}

    /** Handles the signals from now on. Those that the JVM does not let go are logged. */
    static void handle() {
        handle("HUP", () -> logger.atWarn().addKeyValue("signal", "HUP").log("signal ignored: nothing to reload"));
        handle("USR1", () -> {});
        handle("USR2", () -> {});
    }

    private static void handle(String name, Runnable action) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object proxy = Proxy.newProxyInstance(
                    handler.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) -> {
                        action.run();
                        return null;
                    });
            signal.getMethod("handle", signal, handler)
                    .invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
        } catch (ReflectiveOperationException e) {
            // A runtime without jdk.unsupported, or a JVM that was told to leave signals alone (-Xrs).
            Throwable cause = e.getCause() == null ? e : e.getCause();
            logger.atWarn().addKeyValue("signal", name).setCause(cause).log("signal ends escrowd");
        }
    }
}
