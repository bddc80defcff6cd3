package io.escrow.handover.http;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.escrow.handover.connection.Gates;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpServerCodec;
import org.junit.jupiter.api.Test;

class HttpProtocolTest {

    @Test
    void onlyACompleteHttpCodecGetsAGate() {
        EmbeddedChannel channel = new EmbeddedChannel(new ChannelInboundHandlerAdapter(), new LineBasedFrameDecoder(9));
        assertNull(Gates.install(channel));
        channel.pipeline().addLast(new HttpRequestDecoder());
        assertNull(Gates.install(channel));
        channel.pipeline().removeLast();
        channel.pipeline().addLast(new HttpServerCodec());
        assertNotNull(Gates.install(channel));
        channel.finish();
    }
}
