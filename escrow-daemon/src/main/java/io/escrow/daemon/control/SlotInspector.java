package io.escrow.daemon.control;

import io.escrow.OwnedDescriptor;
import io.escrow.control.SlotDetails;
import io.escrow.control.SlotView;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.NetworkTables;
import io.escrow.daemon.kernel.ProcDescriptors;
import io.escrow.daemon.kernel.ProgramNames;
import io.escrow.daemon.kernel.SocketInfo;
import io.escrow.daemon.store.RetainedSlot;
import io.escrow.daemon.store.StoredSlot;
import io.escrow.handover.store.HandoverRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Describes slots: what their descriptors are, and what the kernel knows about them. An instance is for one answer to
 * an operator. Runs on another thread than the daemon's event loop, because it may take a while.
 */
final class SlotInspector implements AutoCloseable {

    // Bits of st_mode, inode(7).
    private static final int TYPE = 0170000;
    private static final Map<Integer, String> KINDS = Map.of(
            0010000,
            "fifo",
            0020000,
            "character-device",
            0040000,
            "directory",
            0060000,
            "block-device",
            0100000,
            "file");
    private static final String ANONYMOUS = "anon_inode:";

    private final Map<String, NetworkTables.Queues> queues = NetworkTables.queues();
    private final HangupDetector hangups = new HangupDetector();
    private final long now = System.currentTimeMillis();

    /** Describes a slot in brief. */
    SlotView view(RetainedSlot held) {
        StoredSlot slot = held.slot();
        Descriptor descriptor = Descriptor.NONE;
        if (slot.descriptor() != null) {
            descriptor = look(slot.descriptor());
        }
        HandoverRecord record = HandoverRecord.of(slot.payload()).orElse(null);
        return new SlotView(
                held.tag(),
                held.index(),
                descriptor.kind,
                descriptor.local,
                descriptor.peer,
                descriptor.state,
                descriptor.queues == null ? null : descriptor.queues.unread(),
                descriptor.queues == null ? null : descriptor.queues.unsent(),
                slot.payload().length,
                slot.farewell().length,
                Math.max(0, now - slot.storedAt()) / 1e3,
                slot.owner().pid(),
                slot.owner().uid(),
                record == null || !record.isChannel() ? null : record.listener(),
                record == null ? null : origin(record),
                slot.filling());
    }

    private static String origin(HandoverRecord record) {
        if (!record.isReadable()) {
            return "later version";
        }
        if (record.isRendezvous()) {
            return "rendezvous";
        }
        if (record.isTickets()) {
            return "session tickets";
        }
        if (record.isMarks()) {
            return "marks";
        }
        return record.clean() ? "handed over" : "crash-safe";
    }

    /** Describes a slot in detail, but for its payload and its farewell. */
    SlotDetails details(RetainedSlot held) throws IOException {
        StoredSlot slot = held.slot();
        return new SlotDetails(
                view(held),
                slot.number(),
                slot.keepFlags(),
                slot.descriptor() == null
                        ? Map.of()
                        : descriptorDetails(slot.descriptor().intValue()),
                HandoverRecord.of(slot.payload()).map(HandoverRecord::sections).orElse(null),
                null,
                null);
    }

    /** The description of a descriptor. */
    private record Descriptor(String kind, String local, String peer, String state, NetworkTables.Queues queues) {

        static final Descriptor NONE = new Descriptor("none", null, null, null, null);
    }

    private Descriptor look(OwnedDescriptor descriptor) {
        String name = ProcDescriptors.name(descriptor.intValue());
        try {
            if (ProcDescriptors.isSocket(name)) {
                SocketInfo socket = new SocketInfo(descriptor.intValue());
                boolean gone =
                        socket.isUnix() && !hangups.gone(Set.of(descriptor)).isEmpty();
                String state = gone ? "HUNG_UP" : socket.state();
                return new Descriptor(socket.kind(), socket.local(), socket.peer(), state, queues.get(name));
            }
            return new Descriptor(kind(descriptor.intValue(), name), name, null, null, null);
        } catch (IOException e) {
            return new Descriptor("unknown", name, null, null, null);
        }
    }

    private static String kind(int descriptor, String name) throws IOException {
        if (name.startsWith(ANONYMOUS)) {
            return name.substring(ANONYMOUS.length()).replaceAll("[\\[\\]]", "");
        }
        if (name.startsWith("pipe:")) {
            return "pipe";
        }
        if (name.startsWith("/memfd:")) {
            return "memfd";
        }
        int mode = (Integer) Files.getAttribute(Path.of("/proc/self/fd/" + descriptor), "unix:mode");
        return KINDS.getOrDefault(mode & TYPE, "unknown");
    }

    private static Map<String, String> descriptorDetails(int descriptor) throws IOException {
        Map<String, String> details = new LinkedHashMap<>();
        String name = ProcDescriptors.name(descriptor);
        details.put("open file", name);
        // The file has pos, flags, mnt_id, ino and, depending on the kind, more: proc_pid_fdinfo(5).
        for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo/" + descriptor))) {
            int colon = line.indexOf(':');
            if (colon > 0 && (line.startsWith("pos") || line.startsWith("flags"))) {
                details.put(line.substring(0, colon), line.substring(colon + 1).trim());
            }
        }
        if (ProcDescriptors.isSocket(name)) {
            details.putAll(new SocketInfo(descriptor).details());
            details.put(
                    "also open in",
                    ProcDescriptors.holders(name).stream()
                            .map(pid -> "pid " + pid + " (" + ProgramNames.name(pid) + ")")
                            .collect(Collectors.joining(", ")));
        }
        return details;
    }

    @Override
    public void close() {
        hangups.close();
    }
}
