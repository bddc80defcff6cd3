package io.escrow.handover.link;

import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.DomainSocketReadMode;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Lets the next process find this one: the escrow holds one end of a pair of sockets, and this process the other. The
 * process that has the escrow's end sends a socket over it, and uses that as a {@link ProcessLink}. When this process
 * dies, its end is closed.
 */
public final class HandoverEndpoint implements AutoCloseable {

    private final EventLoop loop;
    private final ChannelSlot slot;
    private final EpollDomainSocketChannel channel;

    private HandoverEndpoint(EventLoop loop, ChannelSlot slot, int end) {
        this.loop = loop;
        this.slot = slot;
        this.channel = EventLoops.levelTriggered(new EpollDomainSocketChannel(end));
        channel.config().setReadMode(DomainSocketReadMode.FILE_DESCRIPTORS);
    }

    /**
     * Stores one end in the escrow.
     *
     * @param slot a free slot
     * @param onLink called on the event loop with the link to each process that comes
     */
    public static CompletableFuture<HandoverEndpoint> open(
            EventLoop loop, ChannelSlot slot, Consumer<ProcessLink> onLink) {
        SocketPair pair;
        try {
            pair = SocketPair.open();
        } catch (IOException e) {
            return CompletableFuture.failedFuture(e);
        }
        HandoverEndpoint endpoint = new HandoverEndpoint(loop, slot, pair.one());
        endpoint.register(onLink);
        FileDescriptor other = new FileDescriptor(pair.other());
        return slot.store(
                        other,
                        ChannelRecord.builder(ChannelRecord.RENDEZVOUS, true).build())
                .whenComplete((nothing, failure) -> {
                    closeQuietly(other);
                    if (failure != null) {
                        endpoint.channel.close();
                    }
                })
                .thenApply(nothing -> endpoint);
    }

    private void register(Consumer<ProcessLink> onLink) {
        new Bootstrap()
                .group(loop)
                .channelFactory(() -> channel)
                .handler(new SimpleChannelInboundHandler<FileDescriptor>() {
                    @Override
                    protected void channelRead0(ChannelHandlerContext ctx, FileDescriptor socket) {
                        onLink.accept(new ProcessLink(loop, socket.intValue()));
                    }
                })
                .register();
        EventLoops.closeWithLoop(channel);
    }

    /**
     * Sends a socket to the process at the other end.
     *
     * @param end the escrow's end
     * @return the link to that process
     * @throws IOException if it has died
     */
    public static ProcessLink meet(EventLoop loop, int end) throws IOException {
        SocketPair pair = SocketPair.open();
        FileDescriptor theirs = new FileDescriptor(pair.other());
        try {
            if (new Socket(end).sendFd(theirs.intValue()) < 0) {
                throw new IOException("the process before does not answer");
            }
            return new ProcessLink(loop, pair.one());
        } catch (IOException e) {
            closeQuietly(new FileDescriptor(pair.one()));
            throw e;
        } finally {
            closeQuietly(theirs);
        }
    }

    /** Closes this end, and frees the slot. */
    public void remove() {
        slot.remove();
        close();
    }

    @Override
    public void close() {
        channel.close();
    }

    private static void closeQuietly(FileDescriptor descriptor) {
        try {
            descriptor.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
