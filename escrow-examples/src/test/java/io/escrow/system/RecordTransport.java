package io.escrow.system;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.MessageToMessageCodec;
import io.netty.handler.codec.MessageToMessageEncoder;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpMessage;
import io.netty.handler.codec.http.HttpChunkedInput;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler.ClientHandshakeStateEvent;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.mqtt.MqttConnectReturnCode;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttEncoder;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttMessageBuilders;
import io.netty.handler.codec.mqtt.MqttPublishMessage;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.stream.ChunkedStream;
import io.netty.handler.stream.ChunkedWriteHandler;
import java.util.List;

/** Carries the bytes of records between a client and a server by one protocol. */
enum RecordTransport {
    TCP {
        @Override
        void addToServer(ChannelPipeline pipeline) {
            pipeline.addLast(new LengthFieldBasedFrameDecoder(MAX_LENGTH, 0, Integer.BYTES));
        }

        @Override
        void addToClient(ChannelPipeline pipeline) {
            pipeline.addLast(new ReadyWhenActive());
        }
    },

    /** One request for each part that a client sends, and one response with the same content. */
    HTTP {
        @Override
        void addToServer(ChannelPipeline pipeline) {
            pipeline.addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_LENGTH), new HttpContents(true));
        }

        @Override
        void addToClient(ChannelPipeline pipeline) {
            pipeline.addLast(
                    new HttpClientCodec(),
                    new HttpObjectAggregator(MAX_LENGTH),
                    new HttpContents(false),
                    new ReadyWhenActive());
        }
    },

    /** The same, but each response is sent in chunks. */
    HTTP_CHUNKED {
        @Override
        void addToServer(ChannelPipeline pipeline) {
            pipeline.addLast(
                    new HttpServerCodec(),
                    new HttpObjectAggregator(MAX_LENGTH),
                    new ChunkedWriteHandler(),
                    new HttpContents(true),
                    new HttpChunks());
        }

        @Override
        void addToClient(ChannelPipeline pipeline) {
            HTTP.addToClient(pipeline);
        }
    },

    /** One binary message for each part that a client sends. */
    WEBSOCKET {
        @Override
        void addToServer(ChannelPipeline pipeline) {
            pipeline.addLast(
                    new HttpServerCodec(),
                    new HttpObjectAggregator(MAX_LENGTH),
                    new WebSocketServerProtocolHandler(PATH, null, false, MAX_LENGTH),
                    new WebSocketContents());
        }

        @Override
        void addToClient(ChannelPipeline pipeline) {
            pipeline.addLast(
                    new HttpClientCodec(),
                    new HttpObjectAggregator(MAX_LENGTH),
                    new WebSocketClientProtocolHandler(WebSocketClientProtocolConfig.newBuilder()
                            .webSocketUri("ws://127.0.0.1" + PATH)
                            .maxFramePayloadLength(MAX_LENGTH)
                            .build()),
                    new WebSocketContents());
        }
    },

    /** One PUBLISH for each part that a client sends, which the server publishes to the same client. */
    MQTT {
        @Override
        void addToServer(ChannelPipeline pipeline) {
            pipeline.addLast(new MqttDecoder(MAX_LENGTH), MqttEncoder.INSTANCE, new MqttPayloads(true));
        }

        @Override
        void addToClient(ChannelPipeline pipeline) {
            pipeline.addLast(new MqttDecoder(MAX_LENGTH), MqttEncoder.INSTANCE, new MqttPayloads(false));
        }
    };

    /** Is fired through a client's pipeline when it may send. */
    static final Object READY = new Object();

    private static final int MAX_LENGTH = 1 << 20;
    private static final int CHUNK = 1000;
    private static final String PATH = "/records";

    /** Adds what makes bytes of the protocol's messages, and back. */
    abstract void addToServer(ChannelPipeline pipeline);

    /** Adds the same for a client, and fires {@link #READY}. */
    abstract void addToClient(ChannelPipeline pipeline);

    private static final class ReadyWhenActive extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            ctx.fireChannelActive();
            ctx.fireUserEventTriggered(READY);
        }
    }

    private static final class HttpContents extends MessageToMessageCodec<FullHttpMessage, ByteBuf> {
        private final boolean server;

        HttpContents(boolean server) {
            super(FullHttpMessage.class, ByteBuf.class);
            this.server = server;
        }

        @Override
        protected void encode(ChannelHandlerContext ctx, ByteBuf bytes, List<Object> out) {
            FullHttpMessage message = server
                    ? new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, bytes.retain())
                    : new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, PATH, bytes.retain());
            message.headers()
                    .set(HttpHeaderNames.HOST, "127.0.0.1")
                    .set(HttpHeaderNames.CONTENT_LENGTH, bytes.readableBytes());
            out.add(message);
        }

        @Override
        protected void decode(ChannelHandlerContext ctx, FullHttpMessage message, List<Object> out) {
            out.add(message.content().retain());
        }
    }

    private static final class HttpChunks extends MessageToMessageEncoder<ByteBuf> {
        @Override
        protected void encode(ChannelHandlerContext ctx, ByteBuf bytes, List<Object> out) {
            HttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
            head.headers().set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
            out.add(head);
            out.add(new HttpChunkedInput(new ChunkedStream(new ByteBufInputStream(bytes.retain(), true), CHUNK)));
        }
    }

    private static final class WebSocketContents extends MessageToMessageCodec<WebSocketFrame, ByteBuf> {
        WebSocketContents() {
            super(WebSocketFrame.class, ByteBuf.class);
        }

        @Override
        protected void encode(ChannelHandlerContext ctx, ByteBuf bytes, List<Object> out) {
            out.add(new BinaryWebSocketFrame(bytes.retain()));
        }

        @Override
        protected void decode(ChannelHandlerContext ctx, WebSocketFrame frame, List<Object> out) {
            out.add(frame.content().retain());
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            ctx.fireUserEventTriggered(event == ClientHandshakeStateEvent.HANDSHAKE_COMPLETE ? READY : event);
        }
    }

    /** Speaks enough of MQTT 3.1.1 for both sides: the client connects, and both publish with QoS 0. */
    private static final class MqttPayloads extends MessageToMessageCodec<MqttMessage, ByteBuf> {
        private final boolean server;

        MqttPayloads(boolean server) {
            super(MqttMessage.class, ByteBuf.class);
            this.server = server;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) throws Exception {
            if (!server) {
                ctx.writeAndFlush(
                        MqttMessageBuilders.connect().clientId("records").build());
            }
            super.channelActive(ctx);
        }

        @Override
        protected void encode(ChannelHandlerContext ctx, ByteBuf bytes, List<Object> out) {
            out.add(MqttMessageBuilders.publish()
                    .topicName("records")
                    .qos(MqttQoS.AT_MOST_ONCE)
                    // It is copied.
                    .payload(bytes)
                    .build());
        }

        @Override
        protected void decode(ChannelHandlerContext ctx, MqttMessage message, List<Object> out) {
            switch (message.fixedHeader().messageType()) {
                case PUBLISH -> out.add(((MqttPublishMessage) message).payload().retain());
                case CONNECT ->
                    ctx.writeAndFlush(MqttMessageBuilders.connAck()
                            .returnCode(MqttConnectReturnCode.CONNECTION_ACCEPTED)
                            .build());
                case CONNACK -> ctx.fireUserEventTriggered(READY);
                default -> throw new AssertionError("unexpected: " + message);
            }
        }
    }
}
