package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TlsStateTest {

    /** The example of RECORDS.md, in its lines. */
    private static final String EXAMPLE = "01" + "0304" + "0016" + hex("TLS_AES_128_GCM_SHA256") + "05"
            + "11".repeat(32) + "0000000000000007"
            + "22".repeat(32) + "0000000000000102"
            + "00000002" + "1800"
            + "0008" + hex("http/1.1")
            + "0009" + hex("localhost")
            + "02" + "abcd"
            + "0000018bcfe56800"
            + "01" + "0003" + "303132";

    private static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] example() {
        return HexFormat.of().parseHex(EXAMPLE);
    }

    @Test
    void exampleIsDecoded() {
        TlsState state = TlsState.decode(example());
        assertEquals("TLSv1.3", state.suite().protocol());
        assertEquals("TLS_AES_128_GCM_SHA256", state.suite().name());
        assertEquals(0x11, state.reads().secret()[31]);
        assertEquals(7, state.reads().sequence());
        assertTrue(state.reads().closed());
        assertEquals(0x22, state.writes().secret()[0]);
        assertEquals(258, state.writes().sequence());
        assertFalse(state.writes().closed());
        assertTrue(state.halfClose());
        assertArrayEquals(new byte[] {24, 0}, state.message());
        assertEquals("http/1.1", state.session().applicationProtocol());
        assertEquals("localhost", state.session().serverName());
        assertArrayEquals(new byte[] {(byte) 0xab, (byte) 0xcd}, state.session().id());
        assertEquals(1_700_000_000_000L, state.session().creationTime());
        assertArrayEquals(
                "012".getBytes(StandardCharsets.UTF_8),
                state.session().peerCertificates().get(0));
        assertArrayEquals(example(), state.encode());
    }

    @Test
    void partsOfAStateAreRefused() {
        byte[] whole = example();
        for (int length = 0; length < whole.length; length++) {
            byte[] part = Arrays.copyOf(whole, length);
            assertThrows(IllegalArgumentException.class, () -> TlsState.decode(part));
        }
        assertThrows(IllegalArgumentException.class, () -> TlsState.decode(Arrays.copyOf(whole, whole.length + 1)));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 00, version 0",
        "0, 02, version 2",
        "2, 05, protocol version 773",
        "2, 03, cipher suite TLS_AES_128_GCM_SHA256 of TLSv1.2",
        "5, 41, cipher suite",
        "27, 10, flags 16",
        "60, 80, sequence: -",
        "109, 01, too few",
        "116, ff, not UTF-8"
    })
    void changedStateIsRefused(int at, String value, String text) {
        byte[] changed = example();
        changed[at] = HexFormat.of().parseHex(value)[0];
        IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class, () -> TlsState.decode(changed));
        assertTrue(thrown.getMessage().contains(text), thrown.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "TLSv1.3, TLS_AES_256_GCM_SHA384, 48",
        "TLSv1.3, TLS_CHACHA20_POLY1305_SHA256, 32",
        "TLSv1.2, TLS_RSA_WITH_AES_128_GCM_SHA256, 20",
        "TLSv1.2, TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, 36",
        "TLSv1.2, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 44"
    })
    void eachSuiteHasItsSecrets(String protocol, String suite, int secret) {
        TlsState state = ClientSide.state(protocol, suite, 5, false);
        assertEquals(secret, state.suite().secretLength());
        assertArrayEquals(state.encode(), TlsState.decode(state.encode()).encode());
    }

    @ParameterizedTest
    @CsvSource({
        "TLSv1.1, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLSv1.2, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLSv1.2, TLS_RSA_WITH_AES_128_CCM",
        "TLSv1.2, TLS_AES_128_GCM_SHA256",
        "TLSv1.3, TLS_AES_128_CCM_SHA256",
        "NONE, SSL_NULL_WITH_NULL_NULL"
    })
    void otherSuitesDoNotMove(String protocol, String suite) {
        assertTrue(CipherSuite.of(protocol, suite).isEmpty());
    }

    @Test
    void limitsAreChecked() {
        TlsState state = TlsState.decode(example());
        SessionInfo session = state.session();
        assertRefused("secret of reads: 31", () -> with(state, new byte[31], new byte[0], session));
        assertRefused("message: 65537", () -> with(state, new byte[32], new byte[65_537], session));
        assertRefused(
                "certificate: 65536",
                () -> with(state, new byte[32], new byte[0], withCertificates(session, List.of(new byte[65_536]))));
        assertRefused(
                "certificates: 101",
                () -> with(
                        state,
                        new byte[32],
                        new byte[0],
                        withCertificates(session, Collections.nCopies(101, new byte[1]))));
    }

    private static void assertRefused(String text, Executable made) {
        IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class, made);
        assertTrue(thrown.getMessage().startsWith(text), thrown.getMessage());
    }

    private static TlsState with(TlsState state, byte[] secret, byte[] message, SessionInfo session) {
        return new TlsState(
                state.suite(), new TlsState.Direction(secret, 0, false), state.writes(), false, message, session);
    }

    private static SessionInfo withCertificates(SessionInfo session, List<byte[]> certificates) {
        return new SessionInfo("", "", session.id(), 0, certificates);
    }

    @Test
    void nothingSecretIsTold() {
        TlsState state = TlsState.decode(example());
        assertFalse(state.toString().contains("11, 17"), state.toString());
        assertEquals(
                "TLSv1.3 TLS_AES_128_GCM_SHA256 reads[sequence=7 closed] writes[sequence=258] message=2"
                        + " alpn=http/1.1 sni=localhost certificates=1",
                state.toString());
        state.destroy();
        assertArrayEquals(new byte[32], state.reads().secret());
        assertArrayEquals(new byte[32], state.writes().secret());
    }

    @Test
    void suiteIsFoundOfItsVersionOnly() {
        CipherSuite suite =
                CipherSuite.of(CipherSuite.TLS_1_3, "TLS_AES_128_GCM_SHA256").orElseThrow();

        assertSame(
                suite,
                CipherSuite.of(CipherSuite.TLS_1_3, "TLS_AES_128_GCM_SHA256").orElseThrow());
        assertTrue(CipherSuite.of(CipherSuite.TLS_1_2, "TLS_AES_128_GCM_SHA256").isEmpty());
    }
}
