package io.escrow.daemon.control;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.control.ErrorView;
import io.escrow.control.Json;
import io.escrow.internal.Futures;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;

/** Writes the response to the only request of a connection, and closes the connection. */
final class HttpResponses {

    static final String JSON = "application/json";
    static final String JSON_LINES = "application/x-ndjson";

    private HttpResponses() {}

    /** Sends a whole response. */
    static void send(ChannelHandlerContext ctx, HttpResponseStatus status, String type, byte[] body) {
        DefaultFullHttpResponse response =
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, Unpooled.wrappedBuffer(body));
        describe(response, type);
        response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, body.length);
        ctx.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    /** Sends a record as JSON. */
    static void send(ChannelHandlerContext ctx, Object view) {
        send(ctx, HttpResponseStatus.OK, JSON, line(view));
    }

    /**
     * Sends a record as JSON, and leaves the connection open, to be closed by the end of this process and nothing else.
     *
     * @param left called when no event loop closes the connection any more
     */
    static void sendLast(ChannelHandlerContext ctx, Object view, Runnable left) {
        byte[] body = line(view);
        DefaultFullHttpResponse response =
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, Unpooled.wrappedBuffer(body));
        describe(response, JSON);
        response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, body.length);
        ctx.writeAndFlush(response)
                .addListener(sent -> ctx.channel().deregister().addListener(deregistered -> left.run()));
    }

    /** Sends the reason why a request failed. */
    static void fail(ChannelHandlerContext ctx, Throwable failure) {
        Throwable cause = Futures.unwrap(failure);
        if (cause instanceof EscrowException e) {
            send(ctx, status(e.status()), JSON, line(new ErrorView(e.status().name(), e.text())));
        } else {
            fail(ctx, new EscrowException(Status.EIO, "escrowd can't answer: " + cause, cause));
        }
    }

    private static HttpResponseStatus status(Status status) {
        return switch (status) {
            case ENOENT -> HttpResponseStatus.NOT_FOUND;
            case EACCES -> HttpResponseStatus.FORBIDDEN;
            case EINVAL, EPROTO -> HttpResponseStatus.BAD_REQUEST;
            default -> HttpResponseStatus.SERVICE_UNAVAILABLE;
        };
    }

    /** Begins a response of many lines, each of them a record. */
    static void beginLines(ChannelHandlerContext ctx) {
        begin(ctx, JSON_LINES);
    }

    /** Begins a response whose length is not known. */
    static void begin(ChannelHandlerContext ctx, String type) {
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        describe(response, type);
        response.headers().set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
        ctx.writeAndFlush(response);
    }

    /** Sends some of the lines. */
    static void sendLines(ChannelHandlerContext ctx, String lines) {
        ctx.writeAndFlush(new DefaultHttpContent(Unpooled.wrappedBuffer(lines.getBytes(UTF_8))));
    }

    /** Ends the lines. */
    static void endLines(ChannelHandlerContext ctx) {
        ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT).addListener(ChannelFutureListener.CLOSE);
    }

    private static void describe(HttpResponse response, String type) {
        response.headers().set(HttpHeaderNames.CONTENT_TYPE, type);
        response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
    }

    private static byte[] line(Object view) {
        return (Json.write(view) + "\n").getBytes(UTF_8);
    }
}
