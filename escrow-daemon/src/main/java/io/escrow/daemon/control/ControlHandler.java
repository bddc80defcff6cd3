package io.escrow.daemon.control;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.codec.PacketUpgrade;
import io.escrow.daemon.follow.LinkConnector;
import io.escrow.daemon.kernel.OpenFiles;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.kernel.WaitingClients;
import io.escrow.daemon.socket.AccessCheck;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Answers the request of an operator (docs/operations.md, "The control socket"). Runs on the operators' event loop. */
final class ControlHandler extends SimpleChannelInboundHandler<FullHttpRequest> {

    private static final String SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
            + LinkConnector.PROTOCOL + "\r\n\r\n";
    private static final Pattern SLOT = Pattern.compile("/slots/(\\d+)/(\\d+)");

    private final ControlService service;
    private final String mainSocket;
    private final AccessCheck access;
    private final PeerIdentity operator;
    private final PacketUpgrade packets;
    private final Successors successors;
    private final Consumer<Channel> leave;

    /**
     * Creates a handler for one connection.
     *
     * @param mainSocket the address to which the clients' socket is bound
     * @param access the rules of access
     * @param operator the process that sends the request
     * @param packets begins with packets, if the request is for a link
     * @param successors lets another daemon take the place of this one
     * @param leave called with a connection that outlives the answer
     */
    ControlHandler(
            ControlService service,
            String mainSocket,
            AccessCheck access,
            PeerIdentity operator,
            PacketUpgrade packets,
            Successors successors,
            Consumer<Channel> leave) {
        this.service = service;
        this.mainSocket = mainSocket;
        this.access = access;
        this.operator = operator;
        this.packets = packets;
        this.successors = successors;
        this.leave = leave;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
        try {
            if (!access.allows(operator)) {
                throw new EscrowException(Status.EACCES, operator + ": no access");
            }
            if (!request.decoderResult().isSuccess()) {
                throw new EscrowException(Status.EPROTO, "not an HTTP request");
            }
            if (request.headers().contains(HttpHeaderNames.UPGRADE)) {
                link(ctx, request);
            } else {
                answer(ctx, request.method(), new QueryStringDecoder(request.uri()));
            }
        } catch (EscrowException e) {
            HttpResponses.fail(ctx, e);
        } catch (IllegalArgumentException e) {
            HttpResponses.fail(ctx, new EscrowException(Status.EINVAL, e.getMessage(), e));
        }
    }

    private void answer(ChannelHandlerContext ctx, HttpMethod method, QueryStringDecoder uri) throws EscrowException {
        String what = method + " " + uri.path();
        Matcher slot = SLOT.matcher(uri.path());
        switch (what) {
            case "GET /status" -> send(ctx, service.status(WaitingClients.at(mainSocket), OpenFiles.now()));
            case "GET /metrics" -> MetricsHandler.answer(ctx, service, mainSocket);
            case "GET /events" -> new EventStream(ctx, service).begin();
            case "GET /slots" -> listSlots(ctx, uri.parameters().get("tag"));
            case "POST /upgrade" -> upgrade(ctx, uri.parameters().get("jar"));
            case "DELETE /session" -> send(ctx, service.evict(operator));
            default -> {
                if (slot.matches() && method.equals(HttpMethod.GET)) {
                    show(ctx, key(slot));
                } else if (slot.matches() && method.equals(HttpMethod.DELETE)) {
                    send(ctx, service.remove(key(slot), filling(uri.parameters().get("filling")), operator));
                } else {
                    throw new EscrowException(Status.EINVAL, "no such request: " + what);
                }
            }
        }
    }

    private void checkOwner() throws EscrowException {
        if (!access.isOwner(operator)) {
            throw new EscrowException(
                    Status.EACCES, operator + ": only the user of escrowd and root may put another one in its place");
        }
    }

    private void link(ChannelHandlerContext ctx, FullHttpRequest request) throws EscrowException {
        checkOwner();
        String protocol = request.headers().get(HttpHeaderNames.UPGRADE);
        if (!LinkConnector.TARGET.equals(request.uri()) || !LinkConnector.PROTOCOL.equals(protocol)) {
            throw new EscrowException(
                    Status.EINVAL,
                    "no such request: an upgrade of " + request.uri() + " to " + protocol + " (expected: of "
                            + LinkConnector.TARGET + " to " + LinkConnector.PROTOCOL + ")");
        }
        EpollDomainSocketChannel channel = (EpollDomainSocketChannel) ctx.channel();
        // Behind the read that is under way.
        ctx.executor().execute(service.guard(() -> {
            leave.accept(channel);
            while (channel.pipeline().last() != null) {
                channel.pipeline().removeLast();
            }
            channel.writeAndFlush(Unpooled.copiedBuffer(SWITCHING, US_ASCII), channel.voidPromise());
            successors.link(channel, packets);
        }));
    }

    private void upgrade(ChannelHandlerContext ctx, List<String> jar) throws EscrowException {
        checkOwner();
        // The operator sees the end of this process by the end of the connection.
        service.whenDone(
                successors.upgrade(jar == null ? null : Path.of(jar.get(0))), ctx.executor(), (view, failure) -> {
                    if (failure == null) {
                        HttpResponses.sendLast(ctx, view, () -> leave.accept(ctx.channel()));
                    } else {
                        HttpResponses.fail(ctx, failure);
                    }
                });
    }

    private <T> void send(ChannelHandlerContext ctx, CompletableFuture<T> answer) {
        service.whenDone(answer, ctx.executor(), (view, failure) -> {
            if (failure == null) {
                HttpResponses.send(ctx, view);
            } else {
                HttpResponses.fail(ctx, failure);
            }
        });
    }

    private void listSlots(ChannelHandlerContext ctx, List<String> tags) throws EscrowException {
        int first = tags == null ? 0 : number("tag", tags.get(0), service.lastTag());
        new SlotListing(ctx, service, new SlotKey(first, 0), tags == null ? service.lastTag() : first).begin();
    }

    private void show(ChannelHandlerContext ctx, SlotKey key) {
        service.slot(key, ctx.executor(), held -> {
                    try (held;
                            SlotInspector inspection = new SlotInspector()) {
                        new SlotAnswer(ctx, inspection.details(held), held.slot()).begin();
                    } catch (IOException | RuntimeException e) {
                        HttpResponses.fail(ctx, e);
                    }
                })
                .whenCompleteAsync(
                        (nothing, failure) -> {
                            if (failure != null) {
                                HttpResponses.fail(ctx, failure);
                            }
                        },
                        ctx.executor());
    }

    private static long filling(List<String> given) throws EscrowException {
        return given == null ? 0 : number("filling", given.get(0), 1, Long.MAX_VALUE);
    }

    private SlotKey key(Matcher slot) throws EscrowException {
        return new SlotKey(
                number("tag", slot.group(1), service.lastTag()), number("index", slot.group(2), Integer.MAX_VALUE));
    }

    private static int number(String what, String text, int most) throws EscrowException {
        return (int) number(what, text, 0, most);
    }

    private static long number(String what, String text, long least, long most) throws EscrowException {
        try {
            long number = Long.parseLong(text);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // The exception below names the value.
        }
        throw new EscrowException(Status.EINVAL, what + ": " + text + " (expected: " + least + ".." + most + ")");
    }
}
