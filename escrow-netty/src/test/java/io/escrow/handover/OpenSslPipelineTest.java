package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.handover.tls.MovableTls;
import io.netty.channel.Channel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.ssl.SniHandler;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.DomainWildcardMappingBuilder;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same with BoringSSL. */
class OpenSslPipelineTest extends TlsPipelineTest {

    @Override
    SslProvider provider() {
        return SslProvider.OPENSSL;
    }

    /** As Spring Boot does: it makes the context itself, and a handler that chooses it. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void contextNeedNotBeGiven(boolean sni) throws Exception {
        context = context(provider()).build();
        Consumer<Channel> pipeline = ch -> ch.pipeline()
                .addLast(
                        sni
                                ? new SniHandler(new DomainWildcardMappingBuilder<>(context).build())
                                : context.newHandler(ch.alloc()),
                        new LengthFieldBasedFrameDecoder(64 << 20, 0, 4),
                        new Echo());
        ServerHandover server = start(server(bootstrap(pipeline)).tls(MovableTls.of()));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        for (int i = 0; i < 2; i++) {
            HandoverReport report = handOver(server);
            assertEquals(List.of(), report.staying());
            server = start(server(bootstrap(pipeline)).tls(MovableTls.of()));
            peer.assertEchoes("two");
        }
    }
}
