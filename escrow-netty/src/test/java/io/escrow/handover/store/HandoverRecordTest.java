package io.escrow.handover.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HandoverRecordTest {

    /** Makes the payload of a channel's slot, as {@link EscrowTable} does. */
    private static byte[] payload(int chunks, int first, byte[] record) {
        return ByteBuffer.allocate(8 + record.length)
                .putInt(chunks)
                .putInt(first)
                .put(record)
                .array();
    }

    private static byte[] payload(ChannelRecord saved) {
        return payload(0, 0, saved.encode());
    }

    private static ChannelRecord connection() {
        return ChannelRecord.builder("http#1", true)
                .put(ChannelRecord.UNSENT, new byte[300])
                .mark(ChannelRecord.OUTPUT_SHUT)
                .putHandler("Grüße", new byte[5], false)
                .build();
    }

    @Test
    void tellsWhatAConnectionHas() {
        HandoverRecord record = HandoverRecord.of(payload(connection())).orElseThrow();

        assertEquals("http#1", record.listener());
        assertTrue(record.clean());
        assertEquals(0, record.chunks());
        assertFalse(record.isRendezvous());
        assertEquals(
                List.of("unsent", "output-shut", "handler:Grüße"),
                List.copyOf(record.sections().keySet()));
        assertEquals(List.of(300, 0, 5), List.copyOf(record.sections().values()));
        assertEquals(Set.of("unsent", "output-shut"), record.required());
        assertEquals(2, record.lowest());
        assertEquals(2, record.version());
        assertTrue(record.isReadable());
    }

    @Test
    void tellsWhatIsKeptForTheCaseOfACrash() {
        ChannelRecord kept = new ChannelRecord("http", false, Map.of());

        assertEquals(Optional.of(new HandoverRecord("http", false, Map.of(), 0)), HandoverRecord.of(payload(kept)));
    }

    @Test
    void tellsTheRendezvous() {
        ChannelRecord rendezvous = new ChannelRecord(ChannelRecord.RENDEZVOUS, true, Map.of());

        HandoverRecord record = HandoverRecord.of(payload(rendezvous)).orElseThrow();
        assertTrue(record.isRendezvous());
        assertFalse(record.isChannel());
    }

    @Test
    void tellsOfARecordThatGoesOnInChunksWhatBeginsHere() {
        byte[] encoded = connection().encode();
        int unsent = 26; // where its bytes begin
        for (int cut = 0; cut < encoded.length; cut++) {
            byte[] payload = payload(1, 7, Arrays.copyOf(encoded, cut));
            Optional<HandoverRecord> record = HandoverRecord.of(payload);

            boolean missesTooMuch = cut >= unsent && unsent + 300 - cut > payload.length;
            assertEquals(cut >= 13 && !missesTooMuch, record.isPresent(), "cut at " + cut);
            if (record.isPresent()) {
                assertEquals("http#1", record.get().listener());
                assertEquals(1, record.get().chunks());
                assertEquals(cut < unsent ? null : 300, record.get().sections().get("unsent"), "cut at " + cut);
            }
        }
        assertEquals(Optional.empty(), HandoverRecord.of(payload(1, 7, encoded)), "nothing is left for the chunk");
    }

    @Test
    void aRecordIsThePayloadFromItsFirstByteToItsLast() {
        byte[] payload = payload(connection());
        for (int length = 0; length < payload.length; length++) {
            assertEquals(Optional.empty(), HandoverRecord.of(Arrays.copyOf(payload, length)), "cut at " + length);
        }
        assertEquals(Optional.empty(), HandoverRecord.of(Arrays.copyOf(payload, payload.length + 1)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n", "a\u001b[2J", "\0rendezvous2", "a\u202eb", "a\u2028b", "\ufffd", "\ue000"})
    void whatCantBePrintedIsNoName(String name) {
        assertEquals(Optional.empty(), HandoverRecord.of(payload(new ChannelRecord(name, true, Map.of()))));
        ChannelRecord section =
                ChannelRecord.builder("http", true).put(name, new byte[1]).build();
        assertEquals(Optional.empty(), HandoverRecord.of(payload(section)));
    }

    @Test
    void whatIsNoUtf8IsNoName() {
        byte[] payload = payload(new ChannelRecord("http", true, Map.of()));
        payload[15] = (byte) 0xC0;
        assertEquals(Optional.empty(), HandoverRecord.of(payload));
    }

    @Test
    void eachFieldIsChecked() {
        byte[] valid = connection().encode();
        assertEquals(Optional.empty(), HandoverRecord.of(payload(-1, 0, valid)));
        assertEquals(Optional.empty(), HandoverRecord.of(payload(1 << 17, 0, valid)));
        assertEquals(Optional.empty(), HandoverRecord.of(payload(0, 1, valid)));
        assertEquals(Optional.empty(), HandoverRecord.of(payload(1, -1, Arrays.copyOf(valid, valid.length - 1))));
        for (int[] change : new int[][] {{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
            byte[] other = valid.clone();
            other[change[0]] = (byte) change[1];
            assertEquals(Optional.empty(), HandoverRecord.of(payload(0, 0, other)), Arrays.toString(change));
        }
        byte[] old = record(1, 0);
        assertTrue(HandoverRecord.of(payload(0, 0, old)).isPresent());
        old[1] = 2;
        assertEquals(Optional.empty(), HandoverRecord.of(payload(0, 0, old)), "neither clean nor not");
    }

    @Test
    void flagsOfLaterWritersAreIgnored() {
        byte[] other = connection().encode();
        other[2] = (byte) 0xFE;
        HandoverRecord record = HandoverRecord.of(payload(0, 0, other)).orElseThrow();
        assertFalse(record.clean());
        assertEquals(Set.of("unsent", "output-shut"), record.required());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void sectionsAreNamedOnceAndHaveAsManyBytesAsThereAre(int version) {
        byte[] twice = record(version, 2, "a", 0, "a", 0);
        assertEquals(Optional.empty(), HandoverRecord.of(payload(0, 0, twice)));
        assertEquals(Optional.empty(), HandoverRecord.of(payload(0, 0, record(version, 1, "a", 1))));
        assertEquals(Optional.empty(), HandoverRecord.of(payload(0, 0, record(version, 1, "a", -1))));
        assertEquals(Optional.empty(), HandoverRecord.of(payload(1, 0, record(version, 1, "a", Integer.MAX_VALUE))));
        assertEquals(Optional.empty(), HandoverRecord.of(payload(0, 0, record(version, 2, "a", 0))));
        assertTrue(HandoverRecord.of(payload(0, 0, record(version, 1, "a", 0))).isPresent());
    }

    /** Makes a record whose sections have no bytes, whatever their lengths say. */
    private static byte[] record(int version, int count, Object... sections) {
        ByteBuffer out = ByteBuffer.allocate(100).put((byte) version);
        if (version > 1) {
            out.put((byte) version);
        }
        out.put((byte) 1).putShort((short) 1).put((byte) 'l').putShort((short) count);
        for (int i = 0; i < sections.length; i += 2) {
            byte[] name = ((String) sections[i]).getBytes(UTF_8);
            out.putShort((short) name.length).put(name);
            if (version > 1) {
                out.put((byte) 0);
            }
            out.putInt((int) sections[i + 1]);
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    @Test
    void payloadsOfApplicationsAreNoRecords() {
        for (int length = 0; length < 64; length++) {
            assertEquals(Optional.empty(), HandoverRecord.of(new byte[length]), length + " zeros");
        }
        Random random = new Random(1);
        for (int i = 0; i < 100_000; i++) {
            byte[] noise = new byte[random.nextInt(64)];
            random.nextBytes(noise);
            assertEquals(Optional.empty(), HandoverRecord.of(noise));
        }
    }

    @Test
    void nothingMakesItFail() {
        Random random = new Random(2);
        byte[] payload = payload(connection());
        for (int i = 0; i < 100_000; i++) {
            byte[] changed = payload.clone();
            for (int n = random.nextInt(3); n >= 0; n--) {
                changed[random.nextInt(24)] = (byte) random.nextInt();
            }
            HandoverRecord.of(changed)
                    .ifPresent(record -> assertFalse(record.toString().contains("\n")));
        }
    }
}
