package io.escrow.handover;

import static java.util.Objects.requireNonNull;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.seal.KeyFile;
import io.escrow.handover.seal.KeySource;
import io.escrow.handover.seal.RecordSeal;
import io.escrow.handover.seal.SealKey;
import io.escrow.handover.seal.Sealer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Chooses the keys with which a server seals what it stores: see {@link ServerHandoverBuilder#seal}. A key is 32 random bytes, shared by a
 * server and its next processes. Immutable.
 *
 * <p>To change the key, put the new one first, and keep the one before behind it until no process and no slot has it any more:
 * until the handover after next. Keys are told apart by identifiers that are derived of them; nothing else of a key is ever shown.
 */
public final class SealKeys {

    private final KeySource source;

    private SealKeys(KeySource source) {
        this.source = source;
    }

    /**
     * Takes the keys from a file, which is read anew at each start and each handover: 32 bytes as they are, or lines of text with a
     * key each, of 64 hexadecimal digits or of Base64; the current key first, at most 16. {@code openssl rand -hex 32}
     * makes one. A server that was handed over, or closed, overwrites them in its memory.
     *
     * <p>The file must belong to the user of this process, or root. Its group may read it, but not change it; others may
     * do neither. Else starts and handovers fail with {@link Status#EACCES}, and the message says what to do. A handover
     * that fails leaves the server as it was.
     *
     * @param file the path of the file; need not exist yet
     * @return the keys
     */
    public static SealKeys file(Path file) {
        return new SealKeys(new KeyFile(requireNonNull(file, "file")));
    }

    /**
     * Takes keys from memory. They stay there as long as the returned object; a server has copies, which it overwrites at its end.
     *
     * @param current the key with which is sealed; 32 bytes, copied: the caller may overwrite it
     * @param before keys that are accepted besides; 32 bytes each, copied
     * @return the keys
     * @throws IllegalArgumentException if a key has not 32 bytes
     */
    public static SealKeys of(byte[] current, byte[]... before) {
        List<SealKey> keys = new ArrayList<>();
        keys.add(new SealKey(current));
        for (byte[] key : before) {
            keys.add(new SealKey(key));
        }
        List<SealKey> all = List.copyOf(keys);
        return new SealKeys(() -> all.stream().map(SealKey::copy).toList());
    }

    /**
     * Takes the keys from a callback, for a key store or a service of keys.
     *
     * @param callback returns the keys of now. Called by the thread that starts the server, again when it is its turn, and at
     *     each handover, on threads of the server's own; may block. What it throws makes the start or the handover fail
     * @return the keys
     */
    public static SealKeys from(Supplier<SealKeys> callback) {
        requireNonNull(callback, "callback");
        return new SealKeys(() -> called(callback).source.load());
    }

    private static SealKeys called(Supplier<SealKeys> callback) throws EscrowException {
        SealKeys keys;
        try {
            keys = callback.get();
        } catch (RuntimeException e) {
            throw new EscrowException(Status.EIO, "the callback that gives the seal keys has failed: " + e, e);
        }
        if (keys == null) {
            throw new EscrowException(Status.EINVAL, "the callback that gives the seal keys has returned null");
        }
        return keys;
    }

    /** Returns what seals records with these keys, when it has asked for them. */
    RecordSeal toRecordSeal() {
        return new RecordSeal(new Sealer(source));
    }
}
