package io.escrow.handover.connection;

import io.netty.channel.ChannelHandler;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Lists the classes of handlers because of which a connection can't be moved: they have state that can't be saved.
 * Immutable.
 *
 * <p>An entry applies to the class and to those that extend it; the entry of the nearest class counts.
 */
public final class ImmovableHandlers {

    private static final String INSIDE_A_MESSAGE = "a decoder that keeps state inside a message";
    private static final String COMPRESSION = "compression";
    private static final String QUEUE = "a handler that keeps messages back";
    private static final String UNKNOWN_TLS = "TLS that the server was not told of, see ServerHandoverBuilder.tls";
    private static final String CLIENT = "a handler of clients";

    /** Not a reason for a handler that the protocol of the connection feeds. */
    private static final String UNFRAMED = "a codec that keeps state inside a message, of no protocol that is known";

    /** Not a reason for a handler that the protocol of the connection feeds, either. */
    private static final String WEBSOCKET_EXTENSION = "WebSocket with compression";

    /** The handlers of Netty that leave the pipeline when they have seen the beginning of a stream. */
    private static final Set<String> OF_BEGINNING = Set.of(
            "io.netty.handler.codec.haproxy.HAProxyMessageDecoder",
            "io.netty.handler.codec.socks.SocksInitRequestDecoder",
            "io.netty.handler.codec.socksx.SocksPortUnificationServerHandler",
            "io.netty.handler.codec.socksx.v4.Socks4ServerDecoder",
            "io.netty.handler.codec.socksx.v5.Socks5InitialRequestDecoder",
            "io.netty.handler.ssl.OptionalSslHandler");

    /** The value of a class that can be moved although one that it extends can't. */
    private static final String VOUCHED_FOR = "";

    /** The handlers of Netty, by class name: their modules need not be there. */
    private static final Map<String, String> OF_NETTY = ofNetty();

    /** Those of frameworks that override {@code write}, but keep nothing back. */
    private static final Set<String> PASSING_ON = Set.of(
            "io.vertx.core.http.impl.HttpChunkContentCompressor",
            "io.vertx.core.http.impl.http1.HttpChunkContentCompressor",
            "reactor.netty.http.server.HttpTrafficHandler",
            "reactor.netty.http.server.SimpleCompressionHandler",
            "reactor.netty.http.server.WebsocketServerOperations$WebsocketHttpServerMetricsHandler");

    /** An immutable list with the handlers of Netty, and those of frameworks that need not be vouched for. */
    public static final ImmovableHandlers DEFAULT = new ImmovableHandlers(withFrameworks(OF_NETTY));

    private final Map<String, String> reasons;

    /** The entries of the nearest classes: crash-safe servers ask again and again. */
    private final ClassValue<String> nearest = new ClassValue<>() {
        @Override
        protected String computeValue(Class<?> type) {
            return findNearest(type);
        }
    };

    private ImmovableHandlers(Map<String, String> reasons) {
        this.reasons = Map.copyOf(reasons);
    }

    static Map<String, String> ofNetty() {
        Map<String, String> reasons = new HashMap<>();
        put(reasons, UNKNOWN_TLS, "io.netty.handler.ssl", "SslHandler", "AbstractSniHandler", "SslClientHelloHandler");
        put(
                reasons,
                "TLS",
                "io.netty.handler.ssl",
                "SslMasterKeyHandler",
                "ApplicationProtocolNegotiationHandler",
                "ocsp.OcspClientHandler",
                "ocsp.OcspServerCertificateValidator");
        put(
                reasons,
                "HTTP/2",
                "io.netty.handler.codec.http2",
                "Http2ConnectionHandler",
                "Http2FrameCodec",
                "Http2ChannelDuplexHandler",
                "Http2FrameLogger",
                "Http2StreamFrameToHttpObjectCodec",
                "InboundHttpToHttp2Adapter");
        put(
                reasons,
                "HTTP/3",
                "io.netty.handler.codec",
                "http3.Http3ConnectionHandler",
                "http3.Http3RequestStreamInboundHandler",
                "http3.Http3RequestStreamInitializer",
                "http3.Http3PushStreamClientInitializer",
                "http3.Http3PushStreamServerInitializer",
                "quic.QuicCodecDispatcher");
        put(
                reasons,
                "SPDY",
                "io.netty.handler.codec.spdy",
                "SpdyFrameCodec",
                "SpdySessionHandler",
                "SpdyHttpCodec",
                "SpdyHttpDecoder",
                "SpdyHttpEncoder",
                "SpdyHttpResponseStreamIdHandler");
        put(
                reasons,
                "SCTP",
                "io.netty.handler.codec.sctp",
                "SctpInboundByteStreamHandler",
                "SctpMessageCompletionHandler",
                "SctpMessageToMessageDecoder",
                "SctpOutboundByteStreamHandler");
        put(
                reasons,
                CLIENT,
                "io.netty.handler",
                "codec.http.HttpClientCodec",
                "codec.http.HttpClientUpgradeHandler",
                "codec.http.websocketx.WebSocketClientProtocolHandler",
                "codec.http.websocketx.extensions.WebSocketClientExtensionHandler",
                "codec.memcache.binary.BinaryMemcacheClientCodec",
                "codec.smtp.SmtpRequestEncoder",
                "codec.smtp.SmtpResponseDecoder",
                "proxy.ProxyHandler");
        put(
                reasons,
                UNFRAMED,
                "io.netty",
                "channel.CombinedChannelDuplexHandler",
                "handler.codec.http.HttpObjectDecoder",
                "handler.codec.http.HttpObjectEncoder",
                "handler.codec.http.websocketx.WebSocket08FrameDecoder",
                "handler.codec.memcache.AbstractMemcacheObjectEncoder",
                "handler.codec.memcache.binary.BinaryMemcacheRequestDecoder",
                "handler.codec.mqtt.MqttDecoder",
                "handler.codec.redis.RedisDecoder",
                "handler.codec.stomp.StompSubframeDecoder");
        put(
                reasons,
                WEBSOCKET_EXTENSION,
                "io.netty.handler.codec.http.websocketx.extensions",
                "WebSocketExtensionDecoder",
                "WebSocketExtensionEncoder");
        put(
                reasons,
                COMPRESSION,
                "io.netty.handler.codec.compression",
                "BrotliDecoder",
                "BrotliEncoder",
                "Bzip2Decoder",
                "Bzip2Encoder",
                "FastLzFrameDecoder",
                "FastLzFrameEncoder",
                "Lz4FrameDecoder",
                "Lz4FrameEncoder",
                "LzfDecoder",
                "LzfEncoder",
                "LzmaFrameEncoder",
                "SnappyFrameDecoder",
                "SnappyFrameEncoder",
                "ZlibDecoder",
                "ZlibEncoder",
                "ZstdDecoder",
                "ZstdEncoder");
        put(reasons, INSIDE_A_MESSAGE, "io.netty.handler.codec", "ReplayingDecoder");
        put(reasons, INSIDE_A_MESSAGE, "io.netty.handler.codec.json", "JsonObjectDecoder");
        put(reasons, INSIDE_A_MESSAGE, "io.netty.handler.codec.memcache", "AbstractMemcacheObjectDecoder");
        put(
                reasons,
                INSIDE_A_MESSAGE,
                "io.netty.handler.codec.socksx.v5",
                "Socks5PrivateAuthRequestDecoder",
                "Socks5PrivateAuthResponseDecoder");
        put(reasons, INSIDE_A_MESSAGE, "io.netty.handler.codec.xml", "XmlDecoder");
        put(reasons, QUEUE, "io.netty.handler.flow", "FlowControlHandler");
        return reasons;
    }

    private static Map<String, String> withFrameworks(Map<String, String> ofNetty) {
        Map<String, String> reasons = new HashMap<>(ofNetty);
        PASSING_ON.forEach(name -> reasons.put(name, VOUCHED_FOR));
        return reasons;
    }

    private static void put(Map<String, String> reasons, String reason, String inPackage, String... classes) {
        for (String name : classes) {
            reasons.put(inPackage + "." + name, reason);
        }
    }

    /**
     * Adds a class to the list.
     *
     * @param handler the class
     * @param reason why its connections can't be moved, for the report
     * @return the list with the class
     */
    public ImmovableHandlers with(Class<? extends ChannelHandler> handler, String reason) {
        Map<String, String> changed = new HashMap<>(reasons);
        changed.put(handler.getName(), reason);
        return new ImmovableHandlers(changed);
    }

    /**
     * Takes a class off the list, and what extends it, even if it extends a class that stays on the list.
     *
     * @param handler the class
     * @return the list without the class
     */
    public ImmovableHandlers without(Class<? extends ChannelHandler> handler) {
        return with(handler, VOUCHED_FOR);
    }

    /**
     * Returns why the connection of a handler can't be moved; {@code null} if nothing is known against it.
     *
     * @param gate the gate of the connection; {@code null} if no protocol is known
     */
    String whyImmovable(ChannelHandler handler, MessageGate gate) {
        boolean framed = gate != null && gate.feeds(handler);
        String reason = nearest(handler.getClass());
        if (reason == null) {
            return framed ? null : HandlerInspector.OF_NETTY.whyUnknown(handler.getClass(), gate != null);
        }
        boolean excused = framed && (reason.equals(UNFRAMED) || reason.equals(WEBSOCKET_EXTENSION));
        return excused || reason.equals(VOUCHED_FOR) ? null : reason;
    }

    /** Returns whether a handler leaves the pipeline when it has seen the beginning of a stream. */
    static boolean isOfBeginning(ChannelHandler handler) {
        for (Class<?> c = handler.getClass(); c != null; c = c.getSuperclass()) {
            if (OF_BEGINNING.contains(c.getName())) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether a handler was taken off the list by name, or a class that it extends. */
    boolean isVouchedFor(ChannelHandler handler) {
        return VOUCHED_FOR.equals(nearest(handler.getClass()));
    }

    /** Returns the entry of the nearest class; {@code null} if there is none. */
    String nearest(Class<?> type) {
        return nearest.get(type);
    }

    private String findNearest(Class<?> type) {
        for (Class<?> c = type; c != null; c = c.getSuperclass()) {
            String reason = reasons.get(c.getName());
            if (reason != null) {
                return reason;
            }
        }
        return null;
    }
}
