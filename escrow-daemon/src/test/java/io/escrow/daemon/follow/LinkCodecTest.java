package io.escrow.daemon.follow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.codec.PacketEnd;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class LinkCodecTest {

    private final EmbeddedChannel channel = new EmbeddedChannel(new LinkCodec());

    static {
        Epoll.ensureAvailability();
    }

    private static OwnedDescriptor descriptor() throws IOException {
        return new OwnedDescriptor(FileDescriptor.from("/dev/null").intValue());
    }

    @Test
    void writesTheHeaderOfTheProtocol() {
        channel.writeOutbound(LinkFrame.of(LinkKind.EMPTIED, fields(9, 8)));
        ByteBuf out = channel.readOutbound();
        assertEquals("0000000a0a000004000000000908", ByteBufUtil.hexDump(out));
        out.release();
        assertFalse(channel.finish());
    }

    @Test
    void readsFramesWithTheirDescriptors() throws IOException {
        OwnedDescriptor first = descriptor();
        OwnedDescriptor second = descriptor();
        channel.writeOutbound(
                new LinkFrame(LinkKind.SLOT, fields(1), true, first),
                LinkFrame.of(LinkKind.CLEARED),
                new LinkFrame(LinkKind.LISTENER, fields(2), false, second));
        ByteBuf frames = Unpooled.buffer();
        for (Object out = channel.readOutbound(); out != null; out = channel.readOutbound()) {
            if (out instanceof ByteBuf bytes) {
                frames.writeBytes(bytes);
                bytes.release();
            }
        }

        channel.writeInbound(first, second, frames, PacketEnd.INSTANCE);
        LinkFrame slot = channel.readInbound();
        assertSame(first, slot.descriptor());
        assertTrue(slot.keepFlags());
        assertEquals(1, slot.body().length());
        assertTrue(slot.body().getBoolean());
        assertNull(channel.<LinkFrame>readInbound().descriptor());
        LinkFrame listener = channel.readInbound();
        assertSame(second, listener.descriptor());
        assertFalse(listener.keepFlags());
        assertSame(PacketEnd.INSTANCE, channel.readInbound());
        first.release();
        second.release();
        assertFalse(channel.finish());
    }

    @Test
    void closesDescriptorsThatNoFrameHas() throws IOException {
        OwnedDescriptor stray = descriptor();
        channel.writeInbound(stray, PacketEnd.INSTANCE);
        assertEquals(0, stray.refCnt());
        channel.finishAndReleaseAll();
    }

    @Test
    void lostDescriptorIsAnErrorUnlessItIsThatOfAClientThatMayHaveGone() {
        assertThrows(EscrowException.class, () -> channel.writeInbound(bytes("000000080a01000400000000")));
        channel.writeInbound(new Object(), bytes("000000080a01000700000000"));
        assertNull(channel.<LinkFrame>readInbound().descriptor());
        channel.finishAndReleaseAll();
    }

    @Test
    void standInIsALostDescriptor() throws IOException {
        OwnedDescriptor other = descriptor();
        assertThrows(EscrowException.class, () -> channel.writeInbound(other, bytes("000000080a03000400000000")));
        assertEquals(0, other.refCnt());
        channel.finishAndReleaseAll();
    }

    @Test
    void refusesWhatIsNoFrame() {
        for (String wrong : new String[] {
            "000000080b00000400000000", // opcode
            "000000080a00ff0400000000", // kind
            "000000090a00000400000000", // longer than the packet
            "000000070a00000400000000", // shorter than the header
            "000000080a0000040000", // not whole
        }) {
            assertThrows(EscrowException.class, () -> channel.writeInbound(bytes(wrong)), wrong);
        }
        channel.finishAndReleaseAll();
    }

    private static Fields fields(int... bytes) {
        byte[] all = new byte[bytes.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) bytes[i];
        }
        return Fields.read(all, 0, all.length);
    }

    private static ByteBuf bytes(String hex) {
        return Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex));
    }
}
