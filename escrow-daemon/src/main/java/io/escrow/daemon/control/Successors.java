package io.escrow.daemon.control;

import io.escrow.codec.PacketUpgrade;
import io.escrow.control.UpgradeView;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;

/** Lets another daemon take the place of this one. Called by the operators' event loop. */
public interface Successors {

    /**
     * Begins a link with another daemon.
     *
     * @param channel the connection, whose pipeline is empty, and on which the other side expects packets
     * @param packets begins with packets
     */
    void link(EpollDomainSocketChannel channel, PacketUpgrade packets);

    /** Notes that operators are served at another socket than before. */
    void socketsChanged();

    /**
     * Starts another daemon that takes the place of this one.
     *
     * @param jar its jar; {@code null} for the one of this daemon
     * @return what serves then; fails if this daemon goes on serving
     */
    CompletableFuture<UpgradeView> upgrade(Path jar);
}
