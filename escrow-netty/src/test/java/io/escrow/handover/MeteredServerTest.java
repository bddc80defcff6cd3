package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.micrometer.MicrometerHandoverObserver;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Hands a server over that Micrometer is told of, as the documentation shows it. */
class MeteredServerTest extends HandoverHarness {

    private static final Path SOURCE = Path.of("src/test/java/io/escrow/handover/MeteredServerTest.java");
    private static final Path DOCUMENT = Path.of("../docs/handover.md");

    // handover.md begins
    static ServerHandover start(
            EscrowClientBuilder escrow, ServerBootstrap bootstrap, InetSocketAddress address, MeterRegistry registry) {
        MicrometerHandoverObserver observer = new MicrometerHandoverObserver(registry);
        ServerHandover server = ServerHandover.with(escrow)
                .listen("http", bootstrap, address)
                .observer(observer)
                .start()
                .join();
        observer.watch(server); // the gauge escrow.connections
        return server;
    }
    // handover.md ends

    private ServerHandover start(MeterRegistry registry) {
        ServerBootstrap bootstrap = bootstrap(ch -> ch.pipeline().addLast(new ChannelInboundHandlerAdapter()));
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        return add(start(escrow(), bootstrap, address, registry));
    }

    @Test
    void theDocumentShowsWhatIsCompiled() throws Exception {
        String compiled = find("// handover.md begins\n(.*?)// handover.md ends\n", Files.readString(SOURCE));
        String shown = find("## What can be measured\n.*?```java\n(.*?)```\n", Files.readString(DOCUMENT));
        assertEquals(compiled.stripIndent(), shown);
    }

    private static String find(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern, Pattern.DOTALL).matcher(text);
        assertTrue(matcher.find(), pattern);
        return matcher.group(1);
    }

    @Test
    void bothProcessesCount() throws Exception {
        MeterRegistry before = new SimpleMeterRegistry();
        ServerHandover server = start(before);
        connect(3);
        awaitConnections(server, 3);
        assertEquals(3, before.get("escrow.connections").gauge().value());
        handOver(server);
        assertEquals(0, before.get("escrow.connections").gauge().value());
        assertEquals(3, before.get("escrow.connections.moved").counter().count());
        assertEquals(
                1,
                before.get("escrow.handovers")
                        .tag("outcome", "success")
                        .counter()
                        .count());

        MeterRegistry after = new SimpleMeterRegistry();
        start(after);
        assertEquals(3, after.get("escrow.connections").gauge().value());
        assertEquals(
                3,
                after.get("escrow.connections.adopted")
                        .tag("after", "handover")
                        .counter()
                        .count());
        assertEquals(3, after.get("escrow.handover.pause").timer().count());
        assertEquals(1, after.get("escrow.queue.wait").timer().count());
    }
}
