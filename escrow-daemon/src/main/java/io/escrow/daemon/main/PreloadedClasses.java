package io.escrow.daemon.main;

import com.google.gson.Gson;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.internal.Preload;
import io.netty.channel.group.ChannelGroup;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.timeout.WriteTimeoutHandler;
import io.netty.util.ReferenceCounted;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;

/**
 * Loads what the daemon can need later, whatever it is asked to do, so that its jar may be overwritten or deleted under
 * it. With a class-data archive that is only what is not in it.
 */
final class PreloadedClasses {

    private static final String PROMETHEUS = "io.prometheus.metrics";

    private PreloadedClasses() {}

    static void load() {
        ClassArchive.outside().ifPresentOrElse(new Preload()::classes, PreloadedClasses::loadAll);
    }

    private static void loadAll() {
        // The logging library's own base classes, wherever they are.
        Class<?> logging = LoggerFactory.getILoggerFactory().getClass().getSuperclass();
        new Preload()
                .netty()
                .client()
                .logging()
                .packagesBelow(logging, logging.getPackageName())
                .packageOf(ChannelGroup.class)
                .packagesBelow(ReferenceCounted.class, "io.netty.util.internal.shaded")
                .packageOf(CommandLine.class)
                .packageOf(HttpServerCodec.class)
                .packageOf(WriteTimeoutHandler.class)
                .packagesBelow(Gson.class, Gson.class.getPackageName())
                .packageWith("io.prometheus.metrics.config.PrometheusProperties")
                .packageWith("io.escrow.handover.store.HandoverRecord")
                .packagesBelow(PrometheusTextFormatWriter.class, PROMETHEUS)
                .packagesBelow(MetricSnapshots.class, PROMETHEUS)
                .initialize(EscrowDaemon.class, "io.escrow.control")
                .initialize(EscrowDaemon.class, EscrowDaemon.class.getPackageName());
    }
}
