package io.escrow.handover;

import io.escrow.internal.Preload;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;

/**
 * Loads what a running server can need later, once in a process, while it waits for its turn. A server that starts is
 * not done before that: from then on its jar may be overwritten.
 */
final class PreloadedClasses {

    private static final Logger logger = HandoverLog.LOGGER;

    private static final CompletableFuture<Void> LOADED = CompletableFuture.runAsync(PreloadedClasses::load, task -> {
        Thread thread = new Thread(task, "escrow-preload");
        thread.setDaemon(true);
        thread.start();
    });

    private PreloadedClasses() {}

    /** Begins to load. */
    static void begin() {
        // Done when this class is initialized.
    }

    /** Waits until everything is loaded. */
    static void await() {
        LOADED.handle((nothing, failure) -> {
                    if (failure != null) {
                        logger.warn(
                                "not all classes are loaded ahead; do not overwrite a jar under this process", failure);
                    }
                    return null;
                })
                .join();
    }

    private static void load() {
        long began = System.nanoTime();
        // Not initialized: that would start the flight recorder.
        int loaded = new Preload()
                .netty()
                .packageWith("io.netty.handler.codec.http.HttpServerCodec")
                .packageWith("io.netty.handler.codec.http.websocketx.WebSocketFrame")
                .packageWith("io.netty.handler.codec.mqtt.MqttDecoder")
                .packageWith("io.netty.handler.codec.memcache.MemcacheMessage")
                .logging()
                .client()
                .packagesBelow(PreloadedClasses.class, PreloadedClasses.class.getPackageName())
                .loaded();
        logger.debug("{} classes are loaded ahead, in {} ms", loaded, (System.nanoTime() - began) / 1_000_000);
    }
}
