package io.escrow.codec;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/**
 * Sends the first bytes of a packet with all its descriptors in one message, when the socket has room (PROTOCOL.md, "Batches of
 * descriptors").
 *
 * <p>The kernel refuses a message as a whole if one of its descriptors can't be sent. Then the packet goes out without a
 * batch, each descriptor in a message of its own: that finds out which one it is.
 */
final class DescriptorBatch extends SocketRegion {

    private final DescriptorRing ring;
    private final Socket socket;
    private final ByteBuf head;
    private final List<DescriptorRegion> descriptors;
    private final int gap;
    private boolean batch = true;
    /** Bytes before the descriptors that have no message yet; {@code null} while the batch was not sent. */
    private ByteBuf before;

    private int descriptorsSent;
    private long transferred;

    /**
     * Takes over the bytes and the descriptors.
     *
     * @param head the first bytes of a packet that is no batch, at least its prelude; it is changed when it is sent as one
     * @param descriptors 1 to {@value DescriptorMessage#MOST_DESCRIPTORS}
     * @param gap how many bytes of no meaning are between prelude and descriptors if the packet is no batch
     */
    DescriptorBatch(DescriptorRing ring, Socket socket, ByteBuf head, List<DescriptorRegion> descriptors, int gap) {
        this.ring = ring;
        this.socket = socket;
        this.head = head;
        this.descriptors = descriptors;
        this.gap = gap;
    }

    @Override
    public long transferTo(WritableByteChannel target, long position) throws IOException {
        long already = transferred;
        boolean room = true;
        while (room && transferred < count()) {
            if (before == null) {
                room = batch ? sendBatch() : beginOneByOne();
            } else if (before.isReadable()) {
                room = send(before);
            } else if (descriptorsSent < descriptors.size()) {
                room = descriptors.get(descriptorsSent).transferTo(target, 0) > 0;
                descriptorsSent += room ? 1 : 0;
                transferred += room ? 1 : 0;
            } else {
                room = send(head);
            }
        }
        return transferred - already;
    }

    /** Returns whether the socket had room. */
    private boolean sendBatch() throws IOException {
        int field = head.readerIndex() + PacketDecoder.DESCRIPTORS_OFFSET;
        int count = head.getInt(field);
        head.setInt(field, count | PacketDecoder.BATCH);
        int sent = ring.sendBatch(socket.intValue(), head, descriptors);
        if (sent > 0) {
            head.skipBytes(sent);
            before = Unpooled.EMPTY_BUFFER;
            descriptorsSent = descriptors.size();
            transferred = sent + (long) descriptorsSent;
            descriptors.forEach(DescriptorRegion::markIfClosed);
            return true;
        }
        head.setInt(field, count);
        if (DescriptorRegion.isConnectionLost(sent)) {
            throw new NativeIoException("sendmsg", sent);
        }
        batch = sent == DescriptorRing.EAGAIN;
        return !batch;
    }

    private boolean beginOneByOne() {
        int length = PacketDecoder.PRELUDE_LENGTH;
        before = Unpooled.directBuffer(length + gap).writeBytes(head, length).writeZero(gap);
        return true;
    }

    private boolean send(ByteBuf bytes) throws IOException {
        ByteBuffer rest = bytes.nioBuffer();
        int sent = socket.write(rest, rest.position(), rest.limit());
        bytes.skipBytes(sent);
        transferred += sent;
        return sent > 0;
    }

    @Override
    public long count() {
        int due = before == null ? gap : before.readableBytes();
        return transferred + due + (descriptors.size() - descriptorsSent) + head.readableBytes();
    }

    @Override
    public long transferred() {
        return transferred;
    }

    @Override
    protected void deallocate() {
        head.release();
        if (before != null) {
            before.release();
        }
        descriptors.forEach(DescriptorRegion::release);
    }
}
