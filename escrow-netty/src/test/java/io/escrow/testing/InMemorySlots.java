package io.escrow.testing;

import io.escrow.EscrowException;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.testing.InMemoryEscrow.Capacity;
import io.netty.channel.ChannelException;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;

/** Holds the frames that have filled slots, and owns their descriptors. Used on one event loop. */
final class InMemorySlots implements AutoCloseable {

    // tcp(7): the first byte of TCP_INFO is the state of the connection.
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_INFO = 11;
    private static final int TCP_CLOSE = 7;

    private final List<NavigableMap<Integer, Frame.Add>> tags = new ArrayList<>();
    private final Capacity capacity;

    InMemorySlots(int tags, Capacity capacity) {
        this.capacity = capacity;
        for (int i = 0; i < tags; i++) {
            this.tags.add(new TreeMap<>());
        }
    }

    /** Fills a slot and closes what was there; the descriptor of the frame stays the caller's if this throws. */
    void fill(Frame.Add frame) throws EscrowException {
        NavigableMap<Integer, Frame.Add> slots = tag(frame.tag(), frame.index());
        Frame.Add old = slots.put(frame.index(), frame);
        try {
            checkCapacity();
        } catch (EscrowException e) {
            restore(slots, frame.index(), old);
            throw e;
        }
        release(old);
    }

    /** Replaces the payload of a slot, and its farewell unless the frame has none. */
    void update(Frame.Update frame) throws EscrowException {
        Frame.Add old = get("UPD", frame.tag(), frame.index());
        NavigableMap<Integer, Frame.Add> slots = tag(frame.tag(), frame.index());
        slots.put(
                frame.index(),
                new Frame.Add(
                        frame.tag(),
                        frame.index(),
                        old.number(),
                        frame.payload(),
                        frame.farewell() == null ? old.farewell() : frame.farewell(),
                        old.keepFlags(),
                        old.descriptor()));
        try {
            checkCapacity();
        } catch (EscrowException e) {
            restore(slots, frame.index(), old);
            throw e;
        }
    }

    private static void restore(NavigableMap<Integer, Frame.Add> slots, int index, Frame.Add old) {
        if (old == null) {
            slots.remove(index);
        } else {
            slots.put(index, old);
        }
    }

    /** Returns what fills a slot; its descriptor stays here. */
    Frame.Add get(int tag, int index) throws EscrowException {
        return get("GET", tag, index);
    }

    /** Empties a slot and closes what it held. */
    void delete(int tag, int index) throws EscrowException {
        release(get("DEL", tag, index));
        tag(tag, index).remove(index);
    }

    /** Sums up a tag. */
    Frame.Info info(int tag) throws EscrowException {
        NavigableMap<Integer, Frame.Add> slots = tag(tag, 0);
        long end = slots.isEmpty() ? 0 : slots.lastKey() + 1L;
        return new Frame.Info(tag, slots.size(), end, bytes(slots));
    }

    /** Lists the used slots of a tag from an index on. */
    Frame.ListPage list(Frame.ListRequest request) throws EscrowException {
        List<SlotInfo> page = new ArrayList<>();
        for (Frame.Add slot :
                tag(request.tag(), request.from()).tailMap(request.from(), true).values()) {
            if (page.size() == request.most()) {
                return new Frame.ListPage(request.tag(), slot.index(), page);
            }
            boolean gone = request.look() && isClosed(slot.descriptor());
            page.add(new SlotInfo(slot.tag(), slot.index(), slot.payload().length, slot.descriptor() != null, gone));
        }
        return new Frame.ListPage(request.tag(), -1, page);
    }

    /** Returns whether a descriptor is a TCP connection that both sides have ended, or that was reset. */
    private static boolean isClosed(FileDescriptor descriptor) {
        if (descriptor == null) {
            return false;
        }
        ByteBuffer info = ByteBuffer.allocateDirect(1);
        try {
            new Socket(descriptor.intValue()).getRawOpt(IPPROTO_TCP, TCP_INFO, info);
            return info.get(0) == TCP_CLOSE;
        } catch (IOException | ChannelException e) {
            return false; // It is no TCP socket, or no socket at all.
        }
    }

    private Frame.Add get(String request, int tag, int index) throws EscrowException {
        Frame.Add slot = tag(tag, index).get(index);
        if (slot == null) {
            throw new EscrowException(
                    Status.ENOENT, "Non-existent index in a " + request + " request: " + tag + "/" + index);
        }
        return slot;
    }

    private NavigableMap<Integer, Frame.Add> tag(int tag, int index) throws EscrowException {
        if (tag >= tags.size()) {
            throw new EscrowException(Status.EINVAL, "tag: " + tag + " (expected: 0.." + (tags.size() - 1) + ")");
        }
        if (index < 0) {
            throw new EscrowException(
                    Status.EINVAL, "index: " + (index & 0xFFFFFFFFL) + " (expected: 0.." + Integer.MAX_VALUE + ")");
        }
        return tags.get(tag);
    }

    private void checkCapacity() throws EscrowException {
        long used = 0;
        long bytes = 0;
        long descriptors = 0;
        for (NavigableMap<Integer, Frame.Add> slots : tags) {
            used += slots.size();
            bytes += bytes(slots);
            descriptors += slots.values().stream()
                    .filter(slot -> slot.descriptor() != null)
                    .count();
        }
        check(Status.ENOSPC, "slots", used, capacity.slots());
        check(Status.ENOSPC, "payload bytes", bytes, capacity.bytes());
        check(Status.EMFILE, "descriptors", descriptors, capacity.descriptors());
    }

    private static void check(Status status, String what, long held, long limit) throws EscrowException {
        if (held > limit) {
            throw new EscrowException(status, what + " held: " + held + " (expected: <= " + limit + ")");
        }
    }

    private static long bytes(NavigableMap<Integer, Frame.Add> slots) {
        return slots.values().stream()
                .mapToLong(slot -> slot.payload().length + slot.farewell().length)
                .sum();
    }

    private static void release(Frame.Add slot) {
        if (slot != null) {
            ReferenceCountUtil.release(slot.descriptor());
        }
    }

    @Override
    public void close() {
        for (NavigableMap<Integer, Frame.Add> slots : tags) {
            slots.values().forEach(InMemorySlots::release);
            slots.clear();
        }
    }
}
