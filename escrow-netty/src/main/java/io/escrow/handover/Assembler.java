package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.Socket;
import io.netty.util.AttributeKey;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.Map;

/** Puts an adopted connection together again. */
final class Assembler {

    /** What the options of the socket were when it was stored. */
    private record Options(boolean noDelay, int linger) {}

    private static final AttributeKey<Options> OPTIONS = AttributeKey.valueOf(Assembler.class, "options");

    private Assembler() {}

    /**
     * Makes a channel of a stored connection, and gives it to its listener as if it had just been accepted. The guard in
     * its pipeline holds it until it is {@linkplain #restore restored}, {@linkplain #feed fed} and released.
     *
     * @return the channel; inactive if the peer has reset the connection meanwhile, and then not given to the listener
     */
    static Channel assemble(Channel listener, Entry entry, Guard guard) throws IOException {
        int number = entry.takeDescriptor().intValue();
        Channel channel;
        if (listener instanceof EpollServerDomainSocketChannel) {
            channel = new EpollDomainSocketChannel(number);
        } else {
            // The constructor sets TCP_NODELAY, and the options of the bootstrap are applied again.
            Socket socket = new Socket(number);
            Options options = new Options(socket.isTcpNoDelay(), socket.getSoLinger());
            channel = new EpollSocketChannel(number);
            channel.attr(OPTIONS).set(options);
        }
        if (channel.isActive()) {
            channel.pipeline().addLast(Guard.NAME, guard);
            channel.closeFuture().addListener(f -> guard.held().complete(null));
            listener.eventLoop().execute(() -> {
                listener.pipeline().fireChannelRead(channel);
                listener.pipeline().fireChannelReadComplete();
            });
        } else {
            // After a reset, Netty would never say that it is inactive.
            channel.unsafe().closeForcibly();
        }
        return channel;
    }

    /**
     * Builds the pipeline of a held connection as it was, and gives its handlers their state. Called on the channel's
     * event loop.
     *
     * @return a future that fails if the pipeline can't be built
     */
    static Future<Void> restore(Guard guard, ChannelRecord saved) {
        Channel channel = guard.channel();
        Options options = channel.attr(OPTIONS).get();
        if (options != null && channel.isActive()) {
            channel.config().setOption(ChannelOption.TCP_NODELAY, options.noDelay());
            channel.config().setOption(ChannelOption.SO_LINGER, options.linger());
        }
        if (saved.has(ChannelRecord.OUTPUT_SHUT)) {
            ((DuplexChannel) channel).shutdownOutput();
        }
        byte[] upgrade = saved.get(ChannelRecord.PROTOCOL + "http");
        if (upgrade == null) {
            restoreHandlers(guard, saved);
            return channel.eventLoop().newSucceededFuture(null);
        }
        if (guard.gate() == null) {
            return channel.eventLoop().newFailedFuture(new IOException("its listener speaks no HTTP any more"));
        }
        return guard.gate()
                .rebuild(channel.pipeline().context(guard.gate()), Unpooled.wrappedBuffer(upgrade))
                .addListener(f -> {
                    if (f.isSuccess()) {
                        restoreHandlers(guard, saved);
                    }
                });
    }

    private static void restoreHandlers(Guard guard, ChannelRecord saved) {
        Channel channel = guard.channel();
        for (Map.Entry<String, ChannelHandler> e : channel.pipeline()) {
            if (e.getValue() instanceof Movable movable) {
                byte[] state = saved.get(ChannelRecord.HANDLER + movable.section());
                if (state != null) {
                    movable.restore(channel.pipeline().context(e.getKey()), Unpooled.wrappedBuffer(state));
                }
            }
        }
        guard.context().fireUserEventTriggered(saved.clean() ? HandoverEvent.ADOPTED : HandoverEvent.FOUND_AFTER_CRASH);
    }

    /** Gives a restored connection the bytes that were read and not processed. Called on the channel's event loop. */
    static void feed(Guard guard, ChannelRecord saved) {
        Dismantler.feedDecoders(guard.channel(), saved);
        byte[] gate = saved.get(ChannelRecord.GATE);
        if (gate != null) {
            guard.context().fireChannelRead(Unpooled.copiedBuffer(gate));
            guard.context().fireChannelReadComplete();
        }
    }
}
