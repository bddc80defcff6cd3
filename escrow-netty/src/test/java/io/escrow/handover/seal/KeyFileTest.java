package io.escrow.handover.seal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class KeyFileTest {

    private static final byte[] SECRET =
            HexFormat.of().parseHex("f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff");
    private static final byte[] BEFORE =
            HexFormat.of().parseHex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void makeFile() throws IOException {
        file = Files.createFile(
                directory.resolve("key"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }

    private List<String> ids() throws EscrowException {
        return new KeyFile(file).load().stream().map(SealKey::id).toList();
    }

    private static String id(byte[] secret) {
        return new SealKey(secret).id();
    }

    @Test
    void aKeyMayBeBytesOrText() throws Exception {
        Files.write(file, SECRET);
        assertEquals(List.of(id(SECRET)), ids());
        Files.write(file, BEFORE);
        assertEquals(List.of(id(BEFORE)), ids());
        String hex = HexFormat.of().formatHex(SECRET);
        for (String text : List.of(
                hex,
                hex.toUpperCase(java.util.Locale.ROOT) + "\n",
                "\r\n " + hex + " \r\n\n",
                Base64.getEncoder().encodeToString(SECRET) + "\n",
                Base64.getEncoder().withoutPadding().encodeToString(SECRET))) {
            Files.writeString(file, text);
            assertEquals(List.of(id(SECRET)), ids(), text);
        }
    }

    @Test
    void theFirstLineIsTheCurrentKeyAndTheFileIsReadAnew() throws Exception {
        KeyFile source = new KeyFile(file);
        Files.writeString(file, HexFormat.of().formatHex(BEFORE));
        assertEquals(id(BEFORE), source.load().get(0).id());
        Files.writeString(
                file,
                HexFormat.of().formatHex(SECRET) + "\n" + Base64.getEncoder().encodeToString(BEFORE) + "\n");
        assertEquals(
                List.of(id(SECRET), id(BEFORE)),
                source.load().stream().map(SealKey::id).toList());
    }

    @ParameterizedTest
    @CsvSource({"rw-r--r--", "rw----r--", "rw-rw----", "rw-----w-", "rwx-----x"})
    void aFileThatOthersMayReadOrChangeIsRefused(String permissions) throws Exception {
        Files.write(file, SECRET);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
        EscrowException refused = assertThrows(EscrowException.class, this::ids);
        assertEquals(Status.EACCES, refused.status());
        assertTrue(refused.text().contains(permissions), refused.text());
        assertTrue(refused.text().contains("chmod 600 " + file), refused.text());
    }

    @Test
    void theGroupMayReadIt() throws Exception {
        Files.write(file, SECRET);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--r-----"));
        assertEquals(List.of(id(SECRET)), ids());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\n\n",
                "0123456789abcdef0123456789abcdef",
                "f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeefg",
                "f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff00",
                "password",
                "f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff\nf0e1",
                "\u00ff\u00fe\u0000",
            })
    void whatIsNoKeyIsRefusedWithoutQuotingIt(String content) throws Exception {
        Files.write(file, content.getBytes(ISO_8859_1));
        EscrowException refused = assertThrows(EscrowException.class, this::ids);
        assertEquals(Status.EINVAL, refused.status(), refused.text());
        assertTrue(refused.text().startsWith("seal key file " + file + ": "), refused.text());
        assertTrue(refused.text().contains("expected: "), refused.text());
        for (Throwable e = refused; e != null; e = e.getCause()) {
            assertFalse(e.toString().contains("f0e1"), e.toString());
            assertFalse(e.toString().contains("password"), e.toString());
        }
    }

    @Test
    void aFileThatIsTooLongOrMissingOrNoFileIsRefused() throws Exception {
        Files.write(file, new byte[5000]);
        assertEquals(
                Status.EINVAL, assertThrows(EscrowException.class, this::ids).status());
        Files.delete(file);
        EscrowException missing = assertThrows(EscrowException.class, this::ids);
        assertEquals(Status.ENOENT, missing.status());
        assertTrue(missing.text().contains("openssl rand -hex 32"), missing.text());
        Files.createDirectory(file);
        EscrowException directoryRefused = assertThrows(EscrowException.class, this::ids);
        assertTrue(directoryRefused.text().contains("no regular file"), directoryRefused.text());
    }
}
