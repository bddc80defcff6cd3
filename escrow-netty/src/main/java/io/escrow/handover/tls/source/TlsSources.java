package io.escrow.handover.tls.source;

import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslContext;
import java.util.ArrayList;
import java.util.List;

/** The sources of a server. Immutable. */
public final class TlsSources {

    private final List<TlsSource> sources;

    private TlsSources(List<TlsSource> sources) {
        this.sources = List.copyOf(sources);
    }

    /**
     * Prepares contexts for the connections to come. Those of others can move, too, if their provider lets that be known in time.
     *
     * @throws IllegalArgumentException if the connections of one can't move
     */
    public static TlsSources of(List<SslContext> contexts) {
        List<TlsSource> sources = new ArrayList<>();
        sources.add(new JdkTlsSource());
        List<SslContext> openSsl =
                contexts.stream().filter(OpenSslTlsSource::isOf).toList();
        if (!openSsl.isEmpty() || OpenSslTlsSource.isAvailable()) {
            sources.add(new OpenSslTlsSource(openSsl));
        }
        return new TlsSources(sources);
    }

    /** Begins to follow a connection, see {@link TlsSource#follow}; returns those that may know it. */
    public List<TlsTracker> follow(ChannelHandlerContext tls, PlaintextMeter meter) {
        List<TlsTracker> trackers = new ArrayList<>();
        for (TlsSource source : sources) {
            TlsTracker tracker = source.follow(tls, meter);
            if (tracker != null) {
                trackers.add(tracker);
            }
        }
        return trackers;
    }
}
