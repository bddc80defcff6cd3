package io.escrow.codec;

import io.netty.buffer.ByteBuf;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/**
 * Sends a prelude with all descriptors of its packet in one message, when the socket has room (PROTOCOL.md, "Batches of
 * descriptors").
 *
 * <p>The kernel refuses a message as a whole if one of its descriptors can't be sent. Then the packet goes out without a
 * batch, each descriptor in a message of its own: that finds out which one it is.
 */
final class DescriptorBatch extends SocketRegion {

    private final DescriptorRing ring;
    private final Socket socket;
    private final ByteBuf prelude;
    private final List<DescriptorRegion> descriptors;
    private boolean oneByOne;
    private int bytesSent;
    private int descriptorsSent;

    /**
     * Takes over the prelude and the descriptors.
     *
     * @param prelude the prelude of a packet that is no batch; it is changed when it is sent as one
     * @param descriptors 1 to {@value DescriptorRing#MOST_DESCRIPTORS}
     */
    DescriptorBatch(DescriptorRing ring, Socket socket, ByteBuf prelude, List<DescriptorRegion> descriptors) {
        this.ring = ring;
        this.socket = socket;
        this.prelude = prelude;
        this.descriptors = descriptors;
    }

    @Override
    public long transferTo(WritableByteChannel target, long position) throws IOException {
        long before = transferred();
        boolean room = true;
        while (room && transferred() < count()) {
            if (bytesSent == 0 && !oneByOne) {
                room = sendBatch();
            } else if (bytesSent < prelude.readableBytes()) {
                room = sendBytes();
            } else {
                room = descriptors.get(descriptorsSent).transferTo(target, 0) > 0;
                descriptorsSent += room ? 1 : 0;
            }
        }
        return transferred() - before;
    }

    /** Returns whether the socket had room. */
    private boolean sendBatch() throws IOException {
        int field = prelude.readerIndex() + PacketDecoder.DESCRIPTORS_OFFSET;
        int count = prelude.getInt(field);
        prelude.setInt(field, count | PacketDecoder.BATCH);
        int sent = ring.sendBatch(socket.intValue(), prelude, descriptors);
        if (sent > 0) {
            bytesSent = sent;
            descriptorsSent = descriptors.size();
            descriptors.forEach(DescriptorRegion::markIfClosed);
            return true;
        }
        prelude.setInt(field, count);
        if (DescriptorRegion.isConnectionLost(sent)) {
            throw new NativeIoException("sendmsg", sent);
        }
        oneByOne = sent != DescriptorRing.EAGAIN;
        return oneByOne;
    }

    private boolean sendBytes() throws IOException {
        ByteBuffer rest = prelude.nioBuffer(prelude.readerIndex() + bytesSent, prelude.readableBytes() - bytesSent);
        int sent = socket.write(rest, rest.position(), rest.limit());
        bytesSent += sent;
        return sent > 0;
    }

    @Override
    public long count() {
        return prelude.readableBytes() + (long) descriptors.size();
    }

    @Override
    public long transferred() {
        return bytesSent + (long) descriptorsSent;
    }

    @Override
    protected void deallocate() {
        prelude.release();
        descriptors.forEach(DescriptorRegion::release);
    }
}
