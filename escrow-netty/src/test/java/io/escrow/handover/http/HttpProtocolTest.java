package io.escrow.handover.http;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.handover.connection.Gates;
import io.escrow.handover.connection.MessageGate;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpServerCodec;
import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.Arrays;
import java.util.concurrent.Callable;
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

    @Test
    void httpNeedNotBeOnTheClassPath() throws Exception {
        URL[] others = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(path -> !path.contains("netty-codec-http"))
                .map(HttpProtocolTest::url)
                .toArray(URL[]::new);
        try (URLClassLoader loader = new URLClassLoader(others, ClassLoader.getPlatformClassLoader())) {
            assertThrows(ClassNotFoundException.class, () -> loader.loadClass(HttpServerCodec.class.getName()));
            Callable<?> probe = (Callable<?>) loader.loadClass(WithoutHttp.class.getName())
                    .getDeclaredConstructor()
                    .newInstance();
            assertNull(probe.call());
        }
    }

    private static URL url(String path) {
        try {
            return new File(path).toURI().toURL();
        } catch (MalformedURLException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** Asks for a gate; to be loaded where there is no HTTP. */
    public static final class WithoutHttp implements Callable<Object> {
        @Override
        public Object call() {
            EmbeddedChannel channel =
                    new EmbeddedChannel(new ChannelInboundHandlerAdapter(), new LineBasedFrameDecoder(9));
            MessageGate gate = Gates.install(channel);
            channel.finish();
            return gate;
        }
    }
}
