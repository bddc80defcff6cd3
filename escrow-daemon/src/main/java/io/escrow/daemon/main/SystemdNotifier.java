package io.escrow.daemon.main;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.netty.channel.unix.Socket;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reports the daemon's state to systemd, over the datagram socket that the environment names: sd_notify(3).
 *
 * <p>The daemon's event loop sends every message, so that systemd notices when the loop hangs. While there is no such loop,
 * because this process waits until it can stand by, another thread does. A message that can't be sent at once is dropped.
 */
final class SystemdNotifier {

    private static final Logger logger = LoggerFactory.getLogger(SystemdNotifier.class);

    private static final String NOTIFY_SOCKET = "NOTIFY_SOCKET";
    private static final String WATCHDOG_USEC = "WATCHDOG_USEC";
    private static final String WATCHDOG_PID = "WATCHDOG_PID";

    private static final long STATUS_SECONDS = 5;
    private static final long END_SECONDS = 2;
    private static final int MAX_MESSAGE = 1024;
    private static final int MAX_REASON = 200;
    private static final int MAX_ADDRESS = 108;

    private final byte[] address;
    private final long watchdogMicros;
    private final ByteBuffer message = ByteBuffer.allocateDirect(MAX_MESSAGE);
    private Socket socket;
    private String lastStatus;
    private boolean failed;
    private Future<?> waiting;

    private SystemdNotifier(byte[] address, long watchdogMicros) {
        this.address = address;
        this.watchdogMicros = watchdogMicros;
    }

    /**
     * Creates a notifier for an environment.
     *
     * @param pid the number of this process
     * @return the notifier; it does nothing if the environment names no socket
     * @throws EscrowException if a variable has a wrong value; the text names the value
     */
    static SystemdNotifier of(Map<String, String> environment, long pid) throws EscrowException {
        String name = environment.get(NOTIFY_SOCKET);
        if (name == null) {
            return new SystemdNotifier(null, 0);
        }
        byte[] address = name.replaceFirst("^@", "\0").getBytes(UTF_8);
        if (!(name.startsWith("/") || name.startsWith("@")) || address.length > MAX_ADDRESS) {
            throw new EscrowException(
                    Status.EINVAL,
                    NOTIFY_SOCKET + ": \"" + name + "\" (expected: a path, or @ and an abstract name, of at most "
                            + MAX_ADDRESS + " bytes)");
        }
        return new SystemdNotifier(address, watchdogMicros(environment, pid));
    }

    /** Returns the time within which systemd expects a message; 0 for none. */
    private static long watchdogMicros(Map<String, String> environment, long pid) throws EscrowException {
        String micros = environment.get(WATCHDOG_USEC);
        String meant = environment.get(WATCHDOG_PID);
        if (micros == null || (meant != null && number(WATCHDOG_PID, meant) != pid)) {
            return 0;
        }
        return number(WATCHDOG_USEC, micros);
    }

    private static long number(String variable, String value) throws EscrowException {
        try {
            long number = Long.parseLong(value);
            if (number > 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            // The exception below names the value.
        }
        throw new EscrowException(
                Status.EINVAL, variable + ": \"" + value + "\" (expected: 1.." + Long.MAX_VALUE + ")");
    }

    /** Reports why the daemon is not ready, and that it lives, until it begins. */
    void await(String reason) {
        if (address == null) {
            return;
        }
        String line = reason.replaceAll("\\p{Cntrl}", " ");
        String text = line.length() <= MAX_REASON ? line : line.substring(0, MAX_REASON) + "...";
        GlobalEventExecutor.INSTANCE.execute(() -> send("", text));
        setWaiting(
                watchdogMicros == 0
                        ? null
                        : GlobalEventExecutor.INSTANCE.scheduleWithFixedDelay(
                                () -> send("WATCHDOG=1"), 0, half(), TimeUnit.MICROSECONDS));
    }

    private synchronized void setWaiting(Future<?> signs) {
        if (waiting != null) {
            waiting.cancel(false);
        }
        waiting = signs;
    }

    private long half() {
        return Math.max(1, watchdogMicros / 2);
    }

    /** Reports that the daemon is ready, and from then on its status, until the loop ends. */
    void begin(EventExecutor loop, Supplier<String> status) {
        if (address == null) {
            return;
        }
        setWaiting(null);
        loop.execute(() -> send("READY=1\n", status.get()));
        loop.scheduleWithFixedDelay(
                () -> {
                    String now = status.get();
                    if (!now.equals(lastStatus)) {
                        send("", now);
                    }
                },
                STATUS_SECONDS,
                STATUS_SECONDS,
                TimeUnit.SECONDS);
        if (watchdogMicros > 0) {
            loop.scheduleWithFixedDelay(() -> send("WATCHDOG=1"), 0, half(), TimeUnit.MICROSECONDS);
        }
    }

    /** Reports that the daemon ends. Must not be called by the event loop. Waits for the loop for a short time only. */
    void end(EventExecutor loop, Supplier<String> held) {
        if (address != null) {
            loop.submit(() -> send("STOPPING=1\n", "stopping; " + held.get()))
                    .awaitUninterruptibly(END_SECONDS, TimeUnit.SECONDS);
        }
    }

    /** Reports that another process is the service now. Must not be called by the event loop. */
    void handOver(EventExecutor loop, int pid) {
        if (address != null && pid > 0) {
            // With a message for the watchdog: systemd drops those of the other process until it has read this one.
            loop.submit(() -> send("MAINPID=" + pid + "\nREADY=1\nWATCHDOG=1"))
                    .awaitUninterruptibly(END_SECONDS, TimeUnit.SECONDS);
        }
    }

    private synchronized void send(String state, String status) {
        lastStatus = status;
        send(state + "STATUS=" + status);
    }

    private synchronized void send(String text) {
        try {
            if (socket == null) {
                socket = Socket.newSocketDomainDgram();
            }
            message.clear().put(text.getBytes(UTF_8)).flip();
            if (socket.sendToDomainSocket(message, 0, message.limit(), address) == message.limit()) {
                failed = false;
                return;
            }
            warn(null);
        } catch (IOException e) {
            warn(e);
        }
    }

    /** Logs the failure once, not for each message. */
    private void warn(IOException cause) {
        if (!failed) {
            failed = true;
            logger.atWarn()
                    .setCause(cause)
                    .addKeyValue("socket", new String(address, UTF_8).replace('\0', '@'))
                    .log("systemd can't be notified");
        }
    }
}
