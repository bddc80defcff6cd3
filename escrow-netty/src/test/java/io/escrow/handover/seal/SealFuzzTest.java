package io.escrow.handover.seal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.UnreadableRecordException;
import io.netty.buffer.Unpooled;
import java.util.Arrays;

/** Opens what somebody else has put into the escrow in the place of what was sealed. The keys are those of {@link SealerTest}. */
class SealFuzzTest {

    private static final byte[] BINDING = {1, 2, 3, 4, 5, 6, 7, 8};

    private final Sealer sealer = SealerTest.sealer(SealerTest.key(1), SealerTest.key(2));

    private static void assertRefused(EscrowException refused) {
        assertTrue(refused.status() == Status.EINVAL || refused.status() == Status.EACCES, refused.toString());
        assertFalse(refused.text().isEmpty());
    }

    @FuzzTest
    void sealedBytes(byte[] input) {
        byte[] before = input.clone();
        try {
            byte[] plain = sealer.open("tls", input, BINDING);
            assertEquals(input.length - Sealer.OVERHEAD, plain.length);
        } catch (EscrowException e) {
            assertRefused(e);
        }
        assertArrayEquals(before, input);
    }

    @FuzzTest
    void records(byte[] input) {
        ChannelRecord record;
        try {
            record = ChannelRecord.decode(Unpooled.wrappedBuffer(input));
        } catch (UnreadableRecordException e) {
            return; // refused; RecordFuzzTest looks at that
        }
        try {
            ChannelRecord opened = new RecordSeal(sealer).open(record, () -> BINDING);
            assertEquals(record.listener(), opened.listener());
            assertEquals(record.clean(), opened.clean());
        } catch (EscrowException e) {
            assertRefused(e);
            assertTrue(RecordSeal.isSealed(record));
        }
    }

    /** The first byte says which one is changed, and the second how; the rest is sealed. */
    @FuzzTest
    void changes(byte[] input) throws EscrowException {
        if (input.length < 2) {
            return;
        }
        byte[] plain = Arrays.copyOfRange(input, 2, input.length);
        byte[] sealed = sealer.seal("tls", plain, BINDING);
        assertArrayEquals(plain, sealer.open("tls", sealed, BINDING));
        sealed[(input[0] & 0xff) % sealed.length] ^= input[1] == 0 ? 1 : input[1];
        assertRefused(assertThrows(EscrowException.class, () -> sealer.open("tls", sealed, BINDING)));
    }
}
