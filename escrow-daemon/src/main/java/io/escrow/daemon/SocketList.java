package io.escrow.daemon;

import io.escrow.daemon.control.ControlServer;
import io.escrow.daemon.follow.Listening;
import io.escrow.daemon.follow.Primary;
import io.escrow.daemon.socket.SocketFile;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import java.util.function.Supplier;

/**
 * Sends the sockets on which this daemon listens to another one.
 *
 * @param acceptor has those of the clients
 * @param socketFile is where the clients find theirs
 * @param address returns where that one is bound
 * @param control has those of the operators
 */
record SocketList(Acceptor acceptor, SocketFile socketFile, Supplier<String> address, ControlServer control) {

    /** Sends all of them. Called on the event loop. */
    void tell(Primary link) {
        link.listening(
                true,
                new Listening(Listening.Role.CLIENTS, address.get(), socketFile.isOwned(), socketFile.isPublished()),
                acceptor.current().fd());
        for (EpollServerDomainSocketChannel earlier : acceptor.earlier()) {
            link.listening(false, new Listening(Listening.Role.EARLIER_CLIENTS, "", false, false), earlier.fd());
        }
        link.listening(
                false,
                new Listening(Listening.Role.OPERATORS, "", true, control.isPublished()),
                control.socket().fd());
        if (control.metricsPort() != null) {
            link.listening(
                    false,
                    new Listening(Listening.Role.METRICS, "", true, true),
                    control.metricsPort().fd());
        }
    }
}
