package io.escrow.handover.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.escrow.handover.connection.FuzzedStream;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;

/** Sends requests through an gate. */
class HttpFuzzTest extends FuzzedStream {

    @FuzzTest
    void requests(byte[] input) {
        assertSeenTheSame(input);
    }

    @Override
    protected void addHandlers(EmbeddedChannel to) {
        to.pipeline().addLast(new HttpServerCodec(), new Handler());
    }

    @Override
    protected void answer(EmbeddedChannel connection) {
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        HttpUtil.setContentLength(response, 0);
        connection.writeOutbound(response);
        connection.releaseOutbound();
    }

    /** Notes requests however their bodies are split. */
    private final class Handler extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof HttpRequest request) {
                see("\n" + request.method() + " " + request.uri() + " " + request.protocolVersion()
                        + request.headers());
                ask();
            }
            if (msg instanceof HttpContent content) {
                see(content.content().toString(ISO_8859_1));
            }
            if (msg instanceof LastHttpContent last) {
                see("\nend " + last.trailingHeaders());
            }
            Throwable failure = ((HttpObject) msg).decoderResult().cause();
            if (failure != null) {
                see("\n" + failure);
            }
            ReferenceCountUtil.release(msg);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            seeBreak(cause);
        }
    }
}
