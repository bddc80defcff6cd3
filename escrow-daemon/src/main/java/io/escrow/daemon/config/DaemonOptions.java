package io.escrow.daemon.config;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SocketPath;
import java.nio.file.Path;

/**
 * Configures a daemon. Made by {@link #of} with the defaults, or by a {@link #builder()}, which has one method for each
 * option of escrowd's command line.
 *
 * @param path the path of its socket
 * @param force whether to replace the socket of a dead daemon
 * @param verbose whether to print every message on stderr
 * @param descriptorBatches whether descriptors may be sent and received many in a message
 * @param limits the limits of a session
 * @param storeLimits the limits of the store
 * @param timeouts how long a client may delay the other clients
 * @param backlog how many clients may wait in the listen backlog
 * @param access the users and groups that may use the daemon
 * @param unclaimed what the daemon does with slots while there is no session
 * @param operators how operators can reach the daemon
 * @param standby how the daemon lives with a process that stands by
 * @param listener the descriptor of a socket that already listens at the path, or {@link #BIND}; see {@link
 *     Builder#listener}
 */
public record DaemonOptions(
        Path path,
        boolean force,
        boolean verbose,
        boolean descriptorBatches,
        Limits limits,
        StoreLimits storeLimits,
        SessionTimeouts timeouts,
        int backlog,
        Access access,
        UnclaimedOptions unclaimed,
        OperatorOptions operators,
        StandbyOptions standby,
        int listener) {

    /** Stands for no listener: the daemon binds the path itself. */
    public static final int BIND = -1;

    /** The default length of the listen backlog. */
    public static final int DEFAULT_BACKLOG = 4_096;

    /**
     * Checks the backlog; an {@link IllegalArgumentException} names the value when it is out of range.
     *
     * @param path the path of its socket
     * @param force whether to replace the socket of a dead daemon
     * @param verbose whether to print every message on stderr
     * @param descriptorBatches whether descriptors may be sent and received many in a message
     * @param limits the limits of a session
     * @param storeLimits the limits of the store
     * @param timeouts how long a client may delay the other clients
     * @param backlog 1 or more
     * @param access the users and groups that may use the daemon
     * @param unclaimed what the daemon does with slots while there is no session
     * @param operators how operators can reach the daemon
     * @param standby how the daemon lives with a process that stands by
     * @param listener a descriptor, or {@link #BIND}
     */
    public DaemonOptions {
        if (backlog < 1) {
            throw new IllegalArgumentException("backlog: " + backlog + " (expected: >= 1)");
        }
    }

    /**
     * Returns options with the defaults. Those of the limits are for a process that does nothing else: its heap and its
     * open files are the daemon's.
     *
     * @param path the path of the socket, or {@code null} to take it from the environment
     * @return the options
     * @throws EscrowException if no socket can be at the path, or the process may open too few files
     * @throws IllegalArgumentException if neither the parameter nor the environment names a path
     */
    public static DaemonOptions of(String path) throws EscrowException {
        return builder().path(path).build();
    }

    /**
     * Returns a builder that has the defaults.
     *
     * @return a new builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds options. A builder may be used again; the options do not change with it. */
    public static final class Builder {

        private String path;
        private boolean force;
        private boolean verbose;
        private boolean descriptorBatches = true;
        private int tags = Limits.DEFAULT.tags();
        private int maxPayload = Limits.DEFAULT.payload();
        private int maxFarewell = Limits.DEFAULT.farewell();
        private Integer packetBytes;
        private Integer packetDescriptors;
        private int packetRequests = Limits.DEFAULT.packetFrames();
        private int packetsInFlight = Limits.DEFAULT.packetsInFlight();
        private Integer maxSlots;
        private Long maxBytes;
        private Integer maxDescriptors;
        private SessionTimeouts timeouts = SessionTimeouts.DEFAULT;
        private int backlog = DEFAULT_BACKLOG;
        private Access access = Access.OWNER_ONLY;
        private UnclaimedOptions unclaimed = UnclaimedOptions.KEEP;
        private OperatorOptions operators = OperatorOptions.DEFAULT;
        private StandbyOptions standby = StandbyOptions.DEFAULT;
        private int listener = BIND;

        private Builder() {}

        /**
         * Sets the path of the socket.
         *
         * @param value the path, or {@code null} to take it from the environment
         * @return this builder
         */
        public Builder path(String value) {
            path = value;
            return this;
        }

        /**
         * Sets whether to replace the socket of a dead daemon; by default the start fails.
         *
         * @param value whether to replace it
         * @return this builder
         */
        public Builder force(boolean value) {
            force = value;
            return this;
        }

        /**
         * Sets whether to print every message on stderr; by default none is printed.
         *
         * @param value whether to print them
         * @return this builder
         */
        public Builder verbose(boolean value) {
            verbose = value;
            return this;
        }

        /**
         * Sets whether descriptors may be sent and received many in a message, where this process and the client can use
         * io_uring; by default they may.
         *
         * @param value whether they may
         * @return this builder
         */
        public Builder descriptorBatches(boolean value) {
            descriptorBatches = value;
            return this;
        }

        /**
         * Sets the number of tags.
         *
         * @param value 1 to 65,536
         * @return this builder
         */
        public Builder tags(int value) {
            tags = value;
            return this;
        }

        /**
         * Sets the largest payload of a slot.
         *
         * @param value 0 to 16 MiB, in bytes
         * @return this builder
         */
        public Builder maxPayload(int value) {
            maxPayload = value;
            return this;
        }

        /**
         * Sets the largest farewell of a slot.
         *
         * @param value 0 to 64 KiB, in bytes
         * @return this builder
         */
        public Builder maxFarewell(int value) {
            maxFarewell = value;
            return this;
        }

        /**
         * Sets the largest packet, without its descriptors; by default 1 MiB, or more when the largest payload needs it.
         *
         * @param value in bytes, up to 64 MiB
         * @return this builder
         */
        public Builder packetBytes(int value) {
            packetBytes = value;
            return this;
        }

        /**
         * Sets the most descriptors in a packet; by default 128, or fewer when the process may open few files.
         *
         * @param value 1 to 1,024
         * @return this builder
         */
        public Builder packetDescriptors(int value) {
            packetDescriptors = value;
            return this;
        }

        /**
         * Sets the most requests in a packet.
         *
         * @param value 1 to 65,536
         * @return this builder
         */
        public Builder packetRequests(int value) {
            packetRequests = value;
            return this;
        }

        /**
         * Sets the most packets that a client may send before it has the answer to the first of them.
         *
         * @param value 1 to 64
         * @return this builder
         */
        public Builder packetsInFlight(int value) {
            packetsInFlight = value;
            return this;
        }

        /**
         * Sets the most slots that the daemon holds; by default 1,000,000, or fewer when the Java heap is small.
         *
         * @param value 0 or more
         * @return this builder
         */
        public Builder maxSlots(int value) {
            maxSlots = value;
            return this;
        }

        /**
         * Sets the largest sum of all payloads and farewells; by default about half of the Java heap.
         *
         * @param value 0 or more, in bytes
         * @return this builder
         */
        public Builder maxBytes(long value) {
            maxBytes = value;
            return this;
        }

        /**
         * Sets the most descriptors that the daemon holds; by default as many files as the process may open, less a
         * reserve.
         *
         * @param value 0 or more
         * @return this builder
         */
        public Builder maxDescriptors(int value) {
            maxDescriptors = value;
            return this;
        }

        /**
         * Sets how long a client may delay the other clients.
         *
         * @param value the timeouts
         * @return this builder
         */
        public Builder timeouts(SessionTimeouts value) {
            timeouts = value;
            return this;
        }

        /**
         * Sets how many clients may wait in the listen backlog. The kernel allows {@code net.core.somaxconn} at most.
         *
         * @param value 1 or more
         * @return this builder
         */
        public Builder backlog(int value) {
            backlog = value;
            return this;
        }

        /**
         * Sets the users and groups that may use the daemon; by default its own user and root.
         *
         * @param value the users and groups
         * @return this builder
         */
        public Builder access(Access value) {
            access = value;
            return this;
        }

        /**
         * Sets what the daemon does with slots while there is no session; by default it keeps them.
         *
         * @param value the options
         * @return this builder
         */
        public Builder unclaimed(UnclaimedOptions value) {
            unclaimed = value;
            return this;
        }

        /**
         * Sets how operators can reach the daemon.
         *
         * @param value the options
         * @return this builder
         */
        public Builder operators(OperatorOptions value) {
            operators = value;
            return this;
        }

        /**
         * Sets how the daemon lives with a process that stands by.
         *
         * @param value the options
         * @return this builder
         */
        public Builder standby(StandbyOptions value) {
            standby = value;
            return this;
        }

        /**
         * Makes the daemon serve a socket that another process has bound to the path, listens already, and will be removed
         * by that process. Then {@link #force}, {@link #backlog} and the mode of {@link #access} have no effect.
         *
         * @param descriptor the socket: the daemon closes it when it is closed, and also when its start fails; {@link
         *     #BIND} to bind the path
         * @return this builder
         */
        public Builder listener(int descriptor) {
            listener = descriptor;
            return this;
        }

        /**
         * Checks everything and returns the options. The limits must fit into the heap of this process and into the number
         * of files that it may open.
         *
         * @return the options
         * @throws EscrowException if no socket can be at the path, or the limits do not fit into this process
         * @throws IllegalArgumentException if there is no path, or a value is out of range
         */
        public DaemonOptions build() throws EscrowException {
            Budget budget = Budget.ofThisProcess();
            Limits limits = new Limits(
                    tags,
                    maxPayload,
                    packetBytes == null
                            ? Math.max(Limits.DEFAULT.packetBytes(), maxPayload + maxFarewell + 1024)
                            : packetBytes,
                    packetDescriptors == null ? budget.packetDescriptors() : packetDescriptors,
                    packetRequests,
                    packetsInFlight,
                    maxFarewell);
            StoreLimits storeLimits = new StoreLimits(
                    maxSlots == null ? budget.slots() : maxSlots,
                    maxBytes == null ? budget.payloadBytes(maxPayload) : maxBytes,
                    maxDescriptors == null ? budget.descriptors(limits.packetDescriptors()) : maxDescriptors);
            budget.check(limits, storeLimits);
            if (path == null && System.getenv(SocketPath.ENVIRONMENT) == null) {
                throw new IllegalArgumentException(
                        "no path of a socket: give one, or set " + SocketPath.ENVIRONMENT + " in the environment");
            }
            return new DaemonOptions(
                    SocketPath.check(path),
                    force,
                    verbose,
                    descriptorBatches,
                    limits,
                    storeLimits,
                    timeouts,
                    backlog,
                    access,
                    unclaimed,
                    operators,
                    standby,
                    listener);
        }
    }
}
