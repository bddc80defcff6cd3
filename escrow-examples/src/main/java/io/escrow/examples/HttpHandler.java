package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.handover.protocol.HandoverEvent;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Answers requests in the order in which they arrive, some of them after a time. */
final class HttpHandler extends SimpleChannelInboundHandler<FullHttpRequest> {

    private static final String NAME =
            "escrow-examples " + HttpHandler.class.getPackage().getImplementationVersion() + ", process "
                    + ProcessHandle.current().pid() + "\n";

    private static final int DRAIN_IDLE_SECONDS = 1;

    /** Done when all requests so far are answered. */
    private CompletableFuture<Void> answered = CompletableFuture.completedFuture(null);

    private boolean draining;

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
        QueryStringDecoder uri = new QueryStringDecoder(request.uri());
        CompletableFuture<Void> ready = CompletableFuture.completedFuture(null);
        FullHttpResponse response;
        switch (request.method() + " " + uri.path()) {
            case "GET /" -> response = response(HttpResponseStatus.OK, text(NAME));
            case "GET /slow" -> {
                CompletableFuture<Void> later = new CompletableFuture<>();
                ctx.executor().schedule(() -> later.complete(null), millis(uri), TimeUnit.MILLISECONDS);
                ready = later;
                response = response(HttpResponseStatus.OK, text("slow answer of " + NAME));
            }
            case "POST /echo" ->
                response = response(HttpResponseStatus.OK, request.content().retain());
            default -> response = response(HttpResponseStatus.NOT_FOUND, text("not found\n"));
        }
        boolean keepAlive = HttpUtil.isKeepAlive(request);
        HttpVersion version = request.protocolVersion();
        answered = answered.thenCombine(ready, (before, now) -> null).thenRun(() -> {
            // The header depends on the version: a client of HTTP/1.0 must be told that the connection stays open.
            HttpUtil.setKeepAlive(response.headers(), version, keepAlive && !draining);
            ctx.writeAndFlush(response);
        });
    }

    private static long millis(QueryStringDecoder uri) {
        String millis = uri.parameters().getOrDefault("ms", List.of("500")).get(0);
        return millis.matches("\\d{1,5}") ? Long.parseLong(millis) : 500;
    }

    private static ByteBuf text(String text) {
        return Unpooled.copiedBuffer(text, UTF_8);
    }

    private static FullHttpResponse response(HttpResponseStatus status, ByteBuf content) {
        FullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, content);
        response.headers()
                .set(HttpHeaderNames.CONTENT_TYPE, "text/plain; charset=utf-8")
                .set(HttpHeaderNames.CONTENT_LENGTH, content.readableBytes());
        return response;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == HandoverEvent.DRAINING) {
            draining = true;
            // A request may be under way already. It is still answered, with Connection: close.
            ctx.executor().schedule(() -> answered.thenRun(ctx::close), DRAIN_IDLE_SECONDS, TimeUnit.SECONDS);
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }
}
