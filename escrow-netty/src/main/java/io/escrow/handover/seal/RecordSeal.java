package io.escrow.handover.seal;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelRecord.Section;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Seals the sections of records, each for itself, so that their names and sizes can still be read. May be used by any thread. */
public final class RecordSeal {

    /** Names what the sections of a record are bound to. Asked only if there is something to seal or to open. */
    @FunctionalInterface
    public interface Binding {

        /** Returns bytes that are the same in the process that opens the record. */
        byte[] bytes() throws EscrowException;
    }

    /** Seals nothing. */
    public static final RecordSeal NONE = new RecordSeal(Sealer.NONE);

    private static final byte REQUIRED = 1;

    /** What says nothing of the peer, the application or the keys, and is read by processes without the key. */
    private static final Set<String> OPEN =
            Set.of(ChannelRecord.RESTED, ChannelRecord.OUTPUT_SHUT, ChannelRecord.INHERITED, ChannelRecord.IMMOVABLE);

    private final Sealer sealer;

    /** Seals with the keys of a sealer. */
    public RecordSeal(Sealer sealer) {
        this.sealer = sealer;
    }

    /** Returns what seals bytes that are in no record. */
    public Sealer sealer() {
        return sealer;
    }

    /**
     * Seals the sections of a record; does nothing without a key. The bytes of {@linkplain ChannelRecord#isSecret secret} sections are
     * overwritten when they are sealed.
     *
     * @return a record whose sections are {@code REQUIRED}: what can't be opened must not be adopted
     * @throws EscrowException if it can't be told what the record belongs to
     */
    public ChannelRecord seal(ChannelRecord record, Binding binding) throws EscrowException {
        if (!sealer.isSealing() || OPEN.containsAll(record.sections().keySet())) {
            return record;
        }
        byte[] bound = binding.bytes();
        Map<String, Section> sealed = new LinkedHashMap<>();
        record.sections().forEach((name, section) -> {
            if (OPEN.contains(name)) {
                sealed.put(name, section);
            } else {
                sealed.put(ChannelRecord.SEALED + name, seal(name, section, bound));
            }
        });
        return new ChannelRecord(record.listener(), record.clean(), sealed, record.farewell());
    }

    private Section seal(String name, Section section, byte[] bound) {
        byte[] plain = new byte[1 + section.bytes().length];
        plain[0] = section.required() ? REQUIRED : 0;
        System.arraycopy(section.bytes(), 0, plain, 1, section.bytes().length);
        try {
            return new Section(sealer.seal(name, plain, bound), true);
        } finally {
            Arrays.fill(plain, (byte) 0);
            if (ChannelRecord.isSecret(name)) {
                Arrays.fill(section.bytes(), (byte) 0);
            }
        }
    }

    /**
     * Opens the sealed sections of a record. Others are left as they are: the process before may have had no key.
     *
     * @throws EscrowException if one can't be opened; nothing says that another version or process can't
     */
    public ChannelRecord open(ChannelRecord record, Binding binding) throws EscrowException {
        if (!isSealed(record)) {
            return record;
        }
        byte[] bound = binding.bytes();
        Map<String, Section> opened = new LinkedHashMap<>();
        for (Map.Entry<String, Section> section : record.sections().entrySet()) {
            String name = section.getKey();
            if (name.startsWith(ChannelRecord.SEALED)) {
                String plainName = name.substring(ChannelRecord.SEALED.length());
                opened.put(plainName, open(plainName, section.getValue(), bound));
            } else {
                opened.putIfAbsent(name, section.getValue());
            }
        }
        return new ChannelRecord(record.listener(), record.clean(), opened, record.farewell());
    }

    private Section open(String name, Section sealed, byte[] bound) throws EscrowException {
        byte[] plain = sealer.open(name, sealed.bytes(), bound);
        try {
            if (plain.length == 0) {
                throw new EscrowException(
                        Status.EINVAL, "its sealed section " + name + " has no flags (expected: at least 1 byte)");
            }
            return new Section(Arrays.copyOfRange(plain, 1, plain.length), (plain[0] & REQUIRED) != 0);
        } finally {
            Arrays.fill(plain, (byte) 0);
        }
    }

    /** Returns whether a record has a section that is sealed. */
    public static boolean isSealed(ChannelRecord record) {
        if (record.isOfRestOnly()) {
            return false;
        }
        for (String name : record.sections().keySet()) {
            if (name.startsWith(ChannelRecord.SEALED)) {
                return true;
            }
        }
        return false;
    }
}
