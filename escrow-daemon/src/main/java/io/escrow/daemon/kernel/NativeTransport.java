package io.escrow.daemon.kernel;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.netty.channel.epoll.Epoll;

/** Checks that Netty's native library can be used on this machine. */
public final class NativeTransport {

    private NativeTransport() {}

    /**
     * Checks that the library is available.
     *
     * @throws EscrowException if it is not
     */
    public static void require() throws EscrowException {
        if (!Epoll.isAvailable()) {
            throw new EscrowException(
                    Status.EOPNOTSUPP,
                    "escrowd needs Linux on x86_64 or aarch64 with Netty's native epoll library",
                    Epoll.unavailabilityCause());
        }
    }
}
