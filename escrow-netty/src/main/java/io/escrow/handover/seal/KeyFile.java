package io.escrow.handover.seal;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads keys from a file that nobody else may read: 32 bytes as they are, or lines of text, each with a key in hexadecimal or
 * Base64, the current one first.
 */
public final class KeyFile implements KeySource {

    private static final int MAX_LENGTH = 4096;
    private static final int MAX_KEYS = 16;
    private static final int ROOT = 0;
    private static final String HOW_TO_MAKE = "openssl rand -hex 32";

    private static final Set<PosixFilePermission> REFUSED = Set.of(
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE,
            PosixFilePermission.OTHERS_EXECUTE);

    private final Path file;

    /** Reads a file each time when it is asked. */
    public KeyFile(Path file) {
        this.file = file;
    }

    @Override
    public List<SealKey> load() throws EscrowException {
        byte[] content = new byte[MAX_LENGTH + 1];
        try {
            checkAccess();
            int length;
            try (InputStream in = Files.newInputStream(file)) {
                length = in.readNBytes(content, 0, content.length);
            }
            if (length > MAX_LENGTH) {
                throw refused(Status.EINVAL, "it is longer than " + MAX_LENGTH + " bytes (expected: a key, or a few)");
            }
            return parse(content, length);
        } catch (EscrowException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw refused(Status.ENOENT, "it does not exist: make one with " + HOW_TO_MAKE + ", mode 600");
        } catch (IOException | UnsupportedOperationException e) {
            throw new EscrowException(Status.EACCES, "seal key file " + file + ": this process can't read it: " + e, e);
        } finally {
            Arrays.fill(content, (byte) 0);
        }
    }

    private void checkAccess() throws IOException {
        Map<String, Object> attributes = Files.readAttributes(file, "unix:isRegularFile,uid,permissions");
        if (!(Boolean) attributes.get("isRegularFile")) {
            throw refused(Status.EINVAL, "it is no regular file, and can't be read again at a handover");
        }
        @SuppressWarnings("unchecked") // by the view's contract
        Set<PosixFilePermission> permissions = (Set<PosixFilePermission>) attributes.get("permissions");
        if (permissions.stream().anyMatch(REFUSED::contains)) {
            throw refused(
                    Status.EACCES,
                    "its permissions are " + PosixFilePermissions.toString(permissions)
                            + ", so that others may read or change it (expected: at most rw-r-----): chmod 600 "
                            + file);
        }
        int owner = (Integer) attributes.get("uid");
        int self = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        if (owner != self && owner != ROOT) {
            throw refused(
                    Status.EACCES,
                    "it belongs to user " + owner + " (expected: " + self
                            + ", as whom this process runs, or root): chown " + self + " " + file);
        }
    }

    private List<SealKey> parse(byte[] content, int length) throws EscrowException {
        boolean text = isText(content, length);
        if (!text && length == SealKey.LENGTH) {
            return List.of(key(Arrays.copyOf(content, length)));
        }
        if (!text) {
            throw refused(
                    Status.EINVAL,
                    "it has " + length
                            + " bytes and is no text (expected: 32 bytes, or lines of 64 hexadecimal digits, or"
                            + " of Base64): make one with " + HOW_TO_MAKE);
        }
        List<SealKey> keys = new ArrayList<>();
        int from = 0;
        for (int at = 0; at <= length; at++) {
            if (at == length || content[at] == '\n') {
                byte[] line = trim(content, from, at);
                if (line.length > 0) {
                    keys.add(decode(line, keys.size() + 1));
                }
                from = at + 1;
            }
        }
        if (keys.isEmpty() || keys.size() > MAX_KEYS) {
            throw refused(Status.EINVAL, "it has " + keys.size() + " keys (expected: 1 to " + MAX_KEYS + ")");
        }
        return keys;
    }

    private static boolean isText(byte[] content, int length) {
        for (int i = 0; i < length; i++) {
            boolean blank = content[i] == '\n' || content[i] == '\r' || content[i] == '\t';
            if (!blank && (content[i] < ' ' || content[i] > '~')) {
                return false;
            }
        }
        return true;
    }

    private static byte[] trim(byte[] content, int from, int to) {
        int start = from;
        int end = to;
        while (start < end && content[start] <= ' ') {
            start++;
        }
        while (end > start && content[end - 1] <= ' ') {
            end--;
        }
        return Arrays.copyOfRange(content, start, end);
    }

    private SealKey decode(byte[] line, int number) throws EscrowException {
        try {
            byte[] bytes = line.length == 2 * SealKey.LENGTH
                    ? hex(line)
                    : Base64.getDecoder().decode(line);
            if (bytes.length == SealKey.LENGTH) {
                return key(bytes);
            }
            Arrays.fill(bytes, (byte) 0);
        } catch (IllegalArgumentException e) {
            // Its message would quote the key.
        } finally {
            Arrays.fill(line, (byte) 0);
        }
        throw refused(
                Status.EINVAL,
                "key " + number + " is no key of 32 bytes: " + line.length
                        + " characters (expected: 64 hexadecimal digits, or 44 of Base64): make one with "
                        + HOW_TO_MAKE);
    }

    private static byte[] hex(byte[] digits) {
        char[] characters = new char[digits.length];
        try {
            for (int i = 0; i < digits.length; i++) {
                characters[i] = (char) digits[i];
            }
            return HexFormat.of().parseHex(characters, 0, characters.length);
        } finally {
            Arrays.fill(characters, '\0');
        }
    }

    private static SealKey key(byte[] secret) {
        try {
            return new SealKey(secret);
        } finally {
            Arrays.fill(secret, (byte) 0);
        }
    }

    private EscrowException refused(Status status, String why) {
        return new EscrowException(status, "seal key file " + file + ": " + why);
    }

    @Override
    public String toString() {
        return "KeyFile{" + file + "}";
    }
}
