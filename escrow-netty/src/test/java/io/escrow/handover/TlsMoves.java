package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.EscrowException;
import io.escrow.handover.tls.MovableTls;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslProvider;
import java.util.List;
import java.util.function.Consumer;

/** Has TLS connections of the JDK's provider move, unless it is said otherwise. */
abstract class TlsMoves extends TlsHarness {

    SslContext context;

    SslProvider provider() {
        return SslProvider.JDK;
    }

    final ServerHandoverBuilder moving() {
        return tlsServer(context).tls(MovableTls.of(context));
    }

    /** Describes an echo server with a pipeline of its own. */
    final ServerHandoverBuilder moving(Consumer<Channel> pipeline) {
        return server(bootstrap(pipeline).childOption(ChannelOption.SO_SNDBUF, 32 * 1024))
                .tls(MovableTls.of(context));
    }

    final ServerHandover move(ServerHandover server, ServerHandoverBuilder next, int count) throws EscrowException {
        HandoverReport report = handOver(server);
        assertEquals(List.of(), report.staying());
        assertEquals(count, report.connections());
        ServerHandover started = start(next);
        assertEquals(List.of(), started.startReport().refused());
        assertEquals(count, started.startReport().adopted());
        return started;
    }

    final ServerHandover move(ServerHandover server, ServerHandoverBuilder next) throws EscrowException {
        return move(server, next, 1);
    }

    final void useVersion(String protocol) throws Exception {
        context = context(provider()).protocols(protocol).build();
    }
}
