package io.escrow.handover.seal;

import static io.escrow.handover.seal.SealerTest.key;
import static io.escrow.handover.seal.SealerTest.sealer;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.Unpooled;
import java.io.InputStream;
import java.util.List;
import org.junit.jupiter.api.Test;

class RecordSealTest {

    private static final RecordSeal.Binding COOKIE = () -> new byte[] {1, 2, 3, 4, 5, 6, 7, 8};

    private final RecordSeal seal = new RecordSeal(sealer(key(1)));

    private static ChannelRecord record() {
        return ChannelRecord.builder("mqtt", true)
                .put(ChannelRecord.TLS, "traffic secret".getBytes(UTF_8))
                .put(ChannelRecord.RESTED, new byte[8])
                .putHandler("counter", "not required".getBytes(UTF_8), false)
                .putHandler("session", "required".getBytes(UTF_8), true)
                .putAttribute("seen", new byte[0], false)
                .put(ChannelRecord.GATE, "PUBLISH".getBytes(UTF_8))
                .mark(ChannelRecord.OUTPUT_SHUT)
                .farewell(new byte[] {9})
                .build();
    }

    @Test
    void namesCanBeReadAndNothingElse() throws Exception {
        ChannelRecord sealed = seal.seal(record(), COOKIE);
        assertEquals(
                List.of(
                        "sealed:tls",
                        "rested",
                        "sealed:handler:counter",
                        "sealed:handler:session",
                        "sealed:attribute:seen",
                        "sealed:gate",
                        "output-shut"),
                List.copyOf(sealed.sections().keySet()));
        sealed.sections().forEach((name, section) -> {
            if (name.startsWith("sealed:")) {
                assertTrue(section.required(), name);
            }
        });
        String bytes = new String(sealed.encode(), UTF_8);
        assertFalse(bytes.contains("secret") || bytes.contains("equired") || bytes.contains("PUBLISH"), bytes);
        assertArrayEquals(new byte[] {9}, sealed.farewell());
    }

    @Test
    void itOpensToWhatItWas() throws Exception {
        ChannelRecord opened = seal.open(seal.seal(record(), COOKIE), COOKIE);
        ChannelRecord expected = record();
        assertArrayEquals(expected.encode(), opened.encode());
        assertArrayEquals(expected.farewell(), opened.farewell());
    }

    @Test
    void theGoldenRecordOpens() throws Exception {
        byte[] payload;
        try (InputStream in = ChannelRecord.class.getResourceAsStream("records/v2/sealed.bin")) {
            payload = in.readAllBytes();
        }
        ChannelRecord opened =
                seal.open(ChannelRecord.decode(Unpooled.wrappedBuffer(payload, 8, payload.length - 8)), COOKIE);
        assertArrayEquals(record().encode(), opened.encode());
    }

    @Test
    void whatHasNothingToSealIsLeftAsItIs() throws Exception {
        RecordSeal.Binding never = () -> {
            throw new AssertionError("nothing is to be bound");
        };
        ChannelRecord fresh = ChannelRecord.builder("http", false).build().immovable("HTTP/2");
        assertSame(fresh, seal.seal(fresh, never));
        assertSame(fresh, seal.open(fresh, never));
        ChannelRecord plain = record();
        assertSame(plain, RecordSeal.NONE.seal(plain, never));
        // The process before has no key.
        assertSame(plain, seal.open(plain, never));
    }

    @Test
    void secretsAreOverwrittenWhenTheyAreSealed() throws Exception {
        ChannelRecord record = record();
        seal.seal(record, COOKIE);
        assertArrayEquals(new byte["traffic secret".length()], record.get(ChannelRecord.TLS));
        assertEquals("PUBLISH", new String(record.get(ChannelRecord.GATE), UTF_8));
    }

    @Test
    void anotherConnectionOrKeyDoesNotOpenIt() throws Exception {
        ChannelRecord sealed = seal.seal(record(), COOKIE);
        EscrowException elsewhere = assertThrows(EscrowException.class, () -> seal.open(sealed, () -> new byte[8]));
        assertEquals(Status.EINVAL, elsewhere.status());
        RecordSeal wrong = new RecordSeal(sealer(key(2)));
        EscrowException refused = assertThrows(EscrowException.class, () -> wrong.open(sealed, COOKIE));
        assertEquals(Status.EACCES, refused.status());
        assertTrue(refused.text().contains("section tls is sealed with the key " + key(1).id()), refused.text());
        assertThrows(EscrowException.class, () -> RecordSeal.NONE.open(sealed, COOKIE));
    }
}
