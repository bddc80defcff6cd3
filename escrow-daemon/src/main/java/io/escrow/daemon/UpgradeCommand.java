package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.control.UpgradeView;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * Starts another daemon when an operator wants one to take the place of this one, and reports what has become of it. Used on
 * the daemon's event loop.
 */
final class UpgradeCommand {

    private final EventLoop loop;
    private final EventLog eventLog;
    private final FailureDetector failures;
    private final Executor background;
    private final Duration patience;
    private SuccessorStarter starter;
    private CompletableFuture<UpgradeView> result;
    private Process started;
    private String lastReason = "";
    private boolean over;

    /**
     * Creates an object that refuses every upgrade.
     *
     * @param patience how long the other daemon may take from its start until it serves
     */
    UpgradeCommand(
            EventLoop loop, EventLog eventLog, FailureDetector failures, Executor background, Duration patience) {
        this.loop = loop;
        this.eventLog = eventLog;
        this.failures = failures;
        this.background = background;
        this.patience = patience;
    }

    /** Allows upgrades. */
    void allow(SuccessorStarter how) {
        starter = how;
    }

    /**
     * Checks whether another daemon may take the place of this one.
     *
     * @throws EscrowException if not
     */
    void checkAllowed() throws EscrowException {
        if (starter == null) {
            throw new EscrowException(
                    Status.EOPNOTSUPP, "this escrowd is part of another program, and can't be replaced");
        }
    }

    /** Returns whether an upgrade is under way. */
    boolean isUnderWay() {
        return result != null;
    }

    /**
     * Starts a daemon.
     *
     * @throws EscrowException if that is not allowed, or an upgrade is under way
     */
    CompletableFuture<UpgradeView> begin(Path jar) throws EscrowException {
        checkAllowed();
        if (result != null) {
            throw new EscrowException(Status.EADDRINUSE, "an upgrade is under way already");
        }
        CompletableFuture<UpgradeView> begun = new CompletableFuture<>();
        result = begun;
        lastReason = "";
        SuccessorStarter how = starter;
        background.execute(() -> {
            try {
                Process process = how.start(jar);
                loop.execute(failures.guard(() -> watch(process)));
            } catch (EscrowException | RuntimeException e) {
                loop.execute(failures.guard(() -> failed(e)));
            }
        });
        return begun;
    }

    private void watch(Process process) {
        started = process;
        process.onExit().thenRun(() -> loop.execute(failures.guard(() -> ended(process))));
        loop.schedule(
                failures.guard(() -> {
                    if (started == process && !over) {
                        end("it was not ready within " + patience.toSeconds() + " s");
                    }
                }),
                patience.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    /** Notes why the link with the other daemon has ended. */
    void linkLost(String reason) {
        lastReason = reason;
    }

    /** Ends the daemon that was started, if one was. Returns whether one was. */
    boolean end(String reason) {
        if (started == null) {
            return false;
        }
        lastReason = reason;
        started.destroyForcibly();
        return true;
    }

    /** Reports, if an operator wants to know, that another daemon serves. */
    void succeeded(int pid, String program) {
        over = true;
        if (result != null) {
            result.complete(
                    new UpgradeView(pid, program, ProcessHandle.current().pid()));
        }
    }

    private void ended(Process process) {
        if (over) {
            return;
        }
        started = null;
        failed(new EscrowException(
                Status.ECANCELED,
                "the new escrowd (process " + process.pid() + ") ended with exit status " + process.exitValue()
                        + " before it served"
                        + (lastReason.isEmpty() ? "; its log says why" : ": " + lastReason)
                        + ". This one (process " + ProcessHandle.current().pid() + ") goes on"));
    }

    private void failed(Exception e) {
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("reason", e.getMessage());
        eventLog.warn("upgrade failed", details);
        CompletableFuture<UpgradeView> failed = result;
        result = null;
        failed.completeExceptionally(e);
    }
}
