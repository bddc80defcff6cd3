package io.escrow.daemon.main;

import io.escrow.Limits;
import io.escrow.daemon.config.DaemonOptions;
import picocli.CommandLine.Option;

/** The options that limit what clients may store and send. */
final class LimitOptions {

    @Option(
            names = {"-t", "--tags"},
            paramLabel = "N",
            description = "number of tags, 1 to 65536; default: ${DEFAULT-VALUE}")
    private int tags = Limits.DEFAULT.tags();

    @Option(
            names = "--max-payload",
            paramLabel = "BYTES",
            description = "largest payload of a slot; default: ${DEFAULT-VALUE}")
    private int maxPayload = Limits.DEFAULT.payload();

    @Option(
            names = "--max-farewell",
            paramLabel = "BYTES",
            description = "largest farewell of a slot; default: ${DEFAULT-VALUE}")
    private int maxFarewell = Limits.DEFAULT.farewell();

    @Option(
            names = "--max-slots",
            paramLabel = "N",
            description = "most slots in all; default: 1,000,000, or fewer when the Java heap is small")
    private Integer maxSlots;

    @Option(
            names = "--max-bytes",
            paramLabel = "BYTES",
            description = "largest sum of all payloads and farewells; default: about half of the Java heap")
    private Long maxBytes;

    @Option(
            names = "--max-descriptors",
            paramLabel = "N",
            description = "most descriptors in all; default: the limit of open files (ulimit -n) less a reserve")
    private Integer maxDescriptors;

    @Option(
            names = "--packet-bytes",
            paramLabel = "BYTES",
            description = "largest packet, without its descriptors; default: 1048576, or more when --max-payload asks"
                    + " for it")
    private Integer packetBytes;

    @Option(
            names = "--packet-descriptors",
            paramLabel = "N",
            description = "most descriptors in a packet, 1 to 1024; default: 128, or fewer when few files may be open")
    private Integer packetDescriptors;

    @Option(
            names = "--no-descriptor-batches",
            description = "send and receive each descriptor in a message of its own, also where io_uring could be used")
    private boolean noDescriptorBatches;

    @Option(
            names = "--packet-requests",
            paramLabel = "N",
            description = "most requests in a packet, 1 to 65536; default: ${DEFAULT-VALUE}")
    private int packetRequests = Limits.DEFAULT.packetFrames();

    @Option(
            names = "--packets-in-flight",
            paramLabel = "N",
            description = "most packets that a client sends ahead, 1 to 64; default: ${DEFAULT-VALUE}")
    private int packetsInFlight = Limits.DEFAULT.packetsInFlight();

    /** Sets the limits in a builder; options that are not given keep the builder's defaults. */
    void applyTo(DaemonOptions.Builder options) {
        options.descriptorBatches(!noDescriptorBatches)
                .tags(tags)
                .maxPayload(maxPayload)
                .maxFarewell(maxFarewell)
                .packetRequests(packetRequests)
                .packetsInFlight(packetsInFlight);
        if (maxSlots != null) {
            options.maxSlots(maxSlots);
        }
        if (maxBytes != null) {
            options.maxBytes(maxBytes);
        }
        if (maxDescriptors != null) {
            options.maxDescriptors(maxDescriptors);
        }
        if (packetBytes != null) {
            options.packetBytes(packetBytes);
        }
        if (packetDescriptors != null) {
            options.packetDescriptors(packetDescriptors);
        }
    }
}
