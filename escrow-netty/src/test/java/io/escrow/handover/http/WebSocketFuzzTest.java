package io.escrow.handover.http;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.escrow.handover.connection.FuzzedStream;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;

/** Sends the frames of a WebSocket's client through an gate. */
class WebSocketFuzzTest extends FuzzedStream {

    private static final String REQUEST = String.join(
            "\r\n",
            "GET / HTTP/1.1",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "",
            "");
    private static final WebSocketServerProtocolConfig CONFIG = WebSocketServerProtocolConfig.newBuilder()
            .websocketPath("/")
            .maxFramePayloadLength(1_000)
            .build();

    @FuzzTest
    void frames(byte[] input) {
        assertSeenTheSame(input);
    }

    @Override
    protected void addHandlers(EmbeddedChannel to) {
        to.pipeline()
                .addLast(new HttpServerCodec(), new HttpObjectAggregator(1_000))
                .addLast(new WebSocketServerProtocolHandler(CONFIG), new Handler());
    }

    @Override
    protected void begin(EmbeddedChannel connection) {
        connection.writeInbound(Unpooled.copiedBuffer(REQUEST, US_ASCII));
        connection.runPendingTasks();
        connection.releaseOutbound();
    }

    @Override
    protected void answer(EmbeddedChannel connection) {
        connection.writeOutbound(new TextWebSocketFrame("answer"));
        connection.releaseOutbound();
    }

    private final class Handler extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            WebSocketFrame frame = (WebSocketFrame) msg;
            see(frame.getClass().getSimpleName() + " " + frame.isFinalFragment() + " " + frame.rsv() + " "
                    + ByteBufUtil.hexDump(frame.content()) + "\n");
            frame.release();
            ask();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            seeBreak(cause);
        }
    }
}
