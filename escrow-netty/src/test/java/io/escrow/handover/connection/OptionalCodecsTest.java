package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LineBasedFrameDecoder;
import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.Arrays;
import java.util.concurrent.Callable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Looks for protocols where their codecs are not on the class path. */
class OptionalCodecsTest {

    @ParameterizedTest
    @CsvSource({
        "netty-codec-http, io.netty.handler.codec.http.HttpServerCodec",
        "netty-codec-mqtt, io.netty.handler.codec.mqtt.MqttDecoder",
        "netty-codec-redis, io.netty.handler.codec.redis.RedisDecoder",
        "netty-codec-stomp, io.netty.handler.codec.stomp.StompSubframeDecoder",
        "netty-codec-memcache, io.netty.handler.codec.memcache.MemcacheMessage",
    })
    void codecNeedNotBeOnTheClassPath(String artifact, String member) throws Exception {
        URL[] others = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(path -> !path.contains(artifact))
                .map(OptionalCodecsTest::url)
                .toArray(URL[]::new);
        try (URLClassLoader loader = new URLClassLoader(others, ClassLoader.getPlatformClassLoader())) {
            assertThrows(ClassNotFoundException.class, () -> loader.loadClass(member));
            Callable<?> probe = (Callable<?>) loader.loadClass(Probe.class.getName())
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

    /** Asks for a gate; to be loaded where a codec is missing. */
    public static final class Probe implements Callable<Object> {
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
