package io.escrow.handover.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;

/** Keeps the request that has made a WebSocket of a connection, so that it can be made again. */
final class UpgradeRequest {

    private final HttpRequest request;

    private UpgradeRequest(HttpRequest request) {
        this.request = request;
    }

    /** Returns a copy of a request that asks for a WebSocket; {@code null} if it is another one. */
    static UpgradeRequest of(HttpRequest request) {
        // Older drafts have other frames and no version. Some clients, as that of JDK 17.0.15, announce an empty body.
        return request.headers().contains(HttpHeaderNames.SEC_WEBSOCKET_VERSION)
                        && "0".equals(request.headers().get(HttpHeaderNames.CONTENT_LENGTH, "0"))
                        && !request.headers().contains(HttpHeaderNames.TRANSFER_ENCODING)
                ? new UpgradeRequest(new DefaultHttpRequest(
                        request.protocolVersion(),
                        request.method(),
                        request.uri(),
                        request.headers().copy()))
                : null;
    }

    /** Returns whether the request asks for extensions. */
    boolean asksForExtensions() {
        return request.headers().contains(HttpHeaderNames.SEC_WEBSOCKET_EXTENSIONS);
    }

    /**
     * Returns the head of a request that leaves no choice but what was answered to this one: the same subprotocol, and no
     * extension if none was agreed on. Otherwise the extensions are those that were asked for: what is made of them depends on
     * how they were asked for.
     */
    byte[] encode(HttpResponse answer) {
        HttpHeaders headers = request.headers().copy();
        if (!answer.headers().contains(HttpHeaderNames.SEC_WEBSOCKET_EXTENSIONS)) {
            headers.remove(HttpHeaderNames.SEC_WEBSOCKET_EXTENSIONS);
        }
        String subprotocol = answer.headers().get(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL);
        if (subprotocol == null) {
            headers.remove(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL);
        } else {
            headers.set(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        ByteBuf out = Unpooled.buffer(512);
        // Netty keeps the bytes of a head as they are: one character each.
        out.writeCharSequence(request.method() + " " + request.uri() + " " + request.protocolVersion(), ISO_8859_1);
        headers.iteratorCharSequence().forEachRemaining(header -> {
            out.writeCharSequence("\r\n" + header.getKey() + ": " + header.getValue(), ISO_8859_1);
        });
        out.writeCharSequence("\r\n\r\n", ISO_8859_1);
        return ByteBufUtil.getBytes(out);
    }

    /** Returns whether an answer is the one that this request was made for. */
    boolean isAnsweredBy(HttpResponse answer) {
        String asked = request.headers().get(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL);
        String chosen = answer.headers().get(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL);
        return asked == null ? chosen == null : asked.equals(chosen);
    }
}
