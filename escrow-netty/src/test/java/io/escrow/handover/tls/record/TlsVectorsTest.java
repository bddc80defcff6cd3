package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Records that others have made. */
class TlsVectorsTest {

    private static final HexFormat HEX = HexFormat.of();

    // RFC 8448, 3: a handshake with one round trip; what comes behind it.
    private static final String CLIENT_SECRET = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
    private static final String SERVER_SECRET = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
    private static final String CLIENT_DATA =
            "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f"
                    + "5a6292a2977014bd1e3deae63aeebb21694915e4";
    private static final String CLIENT_CLOSE = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";
    private static final String SERVER_DATA =
            "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4b"
                    + "f2e5f0a21c0047c2abf332540dd032e167c2955d";
    private static final String SERVER_CLOSE = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9";

    @Test
    void simpleHandshakeOfRfc8448GoesOn() throws Exception {
        byte[] content = new byte[50];
        for (int i = 0; i < content.length; i++) {
            content[i] = (byte) i;
        }
        CipherSuite suite =
                CipherSuite.of(CipherSuite.TLS_1_3, "TLS_AES_128_GCM_SHA256").orElseThrow();
        MovedEngine engine = new MovedEngine(new TlsState(
                suite,
                new TlsState.Direction(HEX.parseHex(CLIENT_SECRET), 0, false),
                new TlsState.Direction(HEX.parseHex(SERVER_SECRET), 1, false), // 0 was the NewSessionTicket
                true,
                new byte[0],
                new SessionInfo("", "server", new byte[0], 0, List.of())));

        ByteBuffer plain = ByteBuffer.allocate(1 << 14);
        engine.unwrap(ByteBuffer.wrap(HEX.parseHex(CLIENT_DATA)), plain);
        assertArrayEquals(content, Arrays.copyOf(plain.array(), plain.position()));
        assertEquals(SERVER_DATA, wrap(engine, content));

        SSLEngineResult closed = engine.unwrap(ByteBuffer.wrap(HEX.parseHex(CLIENT_CLOSE)), plain);
        assertEquals(Status.CLOSED, closed.getStatus());
        assertTrue(engine.isInboundDone());
        assertFalse(engine.isOutboundDone());
        engine.closeOutbound();
        assertEquals(SERVER_CLOSE, wrap(engine));
        assertTrue(engine.isOutboundDone());
    }

    // Of TLS 1.2, sealed by OpenSSL's AES-GCM and ChaCha20-Poly1305: keys of bytes that count up.
    @ParameterizedTest
    @CsvSource({
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 1, 23, 68656c6c6f2c206d6f766564,"
                + "000102030405060708090a0b0c0d0e0f40414243,"
                + "17030300240000000000000001d50010373f128f5fb32fad5ca32141fcaeaebea20e8a7c53d05d86ef",
        "TLS_RSA_WITH_AES_256_GCM_SHA384, 4328719365, 23, 68656c6c6f2c206d6f766564,"
                + "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f50515253,"
                + "17030300240000000102030405c6a2fa346fef0641a7c4450032ec139e392bd8619ec98c572d213b91",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 4328719365, 23, 68656c6c6f2c206d6f766564,"
                + "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f606162636465666768696a6b,"
                + "170303001c6aa4c9c74afb62ef50f1f61a3cddf4416c5a74333e88d8018b2b2bc2",
        "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256, 7, 21, 0100,"
                + "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f606162636465666768696a6b,"
                + "15030300128513abe7086d58e087dce471b6b59b7a5f13"
    })
    void recordOfTls12(String name, long sequence, int type, String content, String secret, String record)
            throws Exception {
        CipherSuite suite = CipherSuite.of(CipherSuite.TLS_1_2, name).orElseThrow();
        byte[] plain = HEX.parseHex(content);
        ByteBuffer sealed = ByteBuffer.allocate(plain.length + suite.overhead());
        new RecordCipher(suite, HEX.parseHex(secret), sequence)
                .seal(type, new ByteBuffer[] {ByteBuffer.wrap(plain)}, 0, plain.length, sealed);
        assertEquals(record, HEX.formatHex(sealed.array()));

        Trial trial = new Trial(suite, HEX.parseHex(secret));
        Trial.Content opened = trial.open(sealed.flip(), sequence).orElseThrow();
        assertEquals(type, opened.type());
        assertArrayEquals(plain, opened.bytes());
        assertFalse(trial.opens(sealed, sequence + 1));
    }

    // Of a master secret 01 02 ..., the client's random 80 81 ... and the server's a0 a1 ...; HMAC by Python.
    @ParameterizedTest
    @CsvSource({
        "TLS_RSA_WITH_AES_128_GCM_SHA256, 1af47738e709b98c5e3d49a3e9aeca68b01876b9,"
                + "c7093e5e36a36e97c9086df3ea8d3faed5fc75ea",
        "TLS_RSA_WITH_AES_256_GCM_SHA384,"
                + "73e1e387272a3f409d7b238043fbba4cb983cc8a5a349b6274d79589667c849b8cac27d8,"
                + "ee4600494c2cb8b05ad1e36b4c2ada179ad014cd3eeb9981728d57671f0a2cbc67bf69bd",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,"
                + "1af47738e709b98c5e3d49a3e9aeca68c7093e5e36a36e97c9086df3ea8d3fae01444f521484f999474df914,"
                + "b01876b9d5fc75ea7b5dae1e312d1e658d0f5666263e0c6164878f8beefa6f2873ce78dcbe5fe96ca7e5b223"
    })
    void keyBlockOfTls12(String name, String client, String server) {
        CipherSuite suite = CipherSuite.of(CipherSuite.TLS_1_2, name).orElseThrow();
        KeyDerivation.KeyBlock block =
                KeyDerivation.keyBlock(suite, counting(0x01, 48), counting(0x80, 32), counting(0xa0, 32));
        assertEquals(client, HEX.formatHex(block.client()));
        assertEquals(server, HEX.formatHex(block.server()));
    }

    private static byte[] counting(int first, int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (first + i);
        }
        return bytes;
    }

    private static String wrap(MovedEngine engine, byte... content) throws Exception {
        ByteBuffer record = ByteBuffer.allocate(1 << 15);
        engine.wrap(ByteBuffer.wrap(content), record);
        return HEX.formatHex(record.array(), 0, record.position());
    }
}
