package io.escrow.system;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Answers each record with the same, in a good version and in a bad one. Arguments: the socket, the ports, separated by
 * commas, crash-safe or not, in waves or not, bad or not.
 */
public final class VersionServer {

    static final List<Lack> LACKS = List.of(Lack.values());

    private VersionServer() {}

    /** What the bad version can't do, on a listener of that name. */
    enum Lack {
        NOTHING,
        DECODER,
        RESTORE,
        HANDLER,
        PROTOCOL,
        RECORD,
        LISTENER
    }

    /** Runs until SIGTERM. */
    public static void main(String[] args) {
        boolean bad = Boolean.parseBoolean(args[4]);
        String[] ports = args[1].split(",", -1);
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        ServerHandoverBuilder description = ServerHandover.with(EscrowClient.builder()
                        .path(args[0])
                        .connectTimeout(Duration.ofMinutes(5))
                        .onWaiting(waiting -> System.out.println(RecordServer.WAITING)))
                .crashSafe(Boolean.parseBoolean(args[2]))
                .drain(Duration.ofMinutes(5));
        if (Boolean.parseBoolean(args[3])) {
            description.waves(Duration.ofMillis(30));
        }
        if (!bad) {
            description.protocol(new Records());
        }
        List<Lack> served = new ArrayList<>(LACKS);
        if (bad) {
            served.remove(Lack.LISTENER);
        }
        for (Lack lack : served) {
            ServerBootstrap bootstrap = new ServerBootstrap()
                    .group(group)
                    .childHandler(new ChannelInitializer<Channel>() {
                        @Override
                        protected void initChannel(Channel ch) {
                            String decoder = bad && lack == Lack.DECODER ? "other" : "records";
                            ch.pipeline().addLast(decoder, new LengthFieldBasedFrameDecoder(1 << 20, 0, 4));
                            if (lack == Lack.RESTORE || (lack == Lack.HANDLER && !bad)) {
                                ch.pipeline().addLast(new State(bad));
                            }
                            if (lack == Lack.PROTOCOL) {
                                ch.pipeline().addLast(new Marker());
                            }
                            ch.pipeline().addLast(new Echo());
                        }
                    });
            int port = ports.length == 1 ? 0 : Integer.parseInt(ports[LACKS.indexOf(lack)]);
            description.listen(lack.name(), bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        }
        ServerHandover server = description.start().join();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            System.out.println(server.handOver(Duration.ofSeconds(60))
                    .handle((report, failure) -> failure == null ? report : failure)
                    .join());
            server.drained().join();
        }));
        StringBuilder bound = new StringBuilder();
        server.listeners()
                .forEach(listener -> bound.append(((InetSocketAddress) listener.localAddress()).getPort())
                        .append(','));
        System.out.println(RecordServer.SERVING + bound + " " + server.startReport());
    }

    private static final class Echo extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf record) {
            ctx.writeAndFlush(record.retain());
        }
    }

    /** Has a state that must be restored; the bad version can't. */
    private static final class State extends ChannelInboundHandlerAdapter implements Movable {
        private final boolean bad;

        State(boolean bad) {
            this.bad = bad;
        }

        @Override
        public String section() {
            return "state";
        }

        @Override
        public boolean mustBeRestored() {
            return true;
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeByte(1);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            if (bad) {
                throw new IllegalStateException("a bad version");
            }
        }
    }

    /** Marks the pipelines that speak the protocol. */
    private static final class Marker extends ChannelInboundHandlerAdapter {}

    /** Frames records, and has something to restore. */
    private static final class Records implements Protocol {
        @Override
        public String name() {
            return "records";
        }

        @Override
        public ProtocolConnection recognise(ProtocolContext context) {
            return context.pipeline().get(Marker.class) == null
                    ? null
                    : new RecordsConnection(context.pipeline().get(LengthFieldBasedFrameDecoder.class));
        }
    }

    private static final class RecordsConnection implements ProtocolConnection {
        private final ChannelHandler decoder;

        RecordsConnection(ChannelHandler decoder) {
            this.decoder = decoder;
        }

        @Override
        public ChannelHandler firstHandler() {
            return decoder;
        }

        @Override
        public int next(ByteBuf in, boolean mayBegin) {
            if (!mayBegin || in.readableBytes() < Integer.BYTES) {
                return 0;
            }
            int length = Integer.BYTES + in.getInt(in.readerIndex());
            return length <= in.readableBytes() ? length : 0;
        }

        @Override
        public boolean isAtRest() {
            return true;
        }

        @Override
        public boolean feeds(ChannelHandler handler) {
            return handler == decoder;
        }

        @Override
        public void save(ByteBuf out) {
            out.writeByte(1);
        }
    }
}
