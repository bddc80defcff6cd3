package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.protocol.HandoverEvent;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;

/**
 * Sends the same bytes through handlers alone, and through the same handlers behind a gate that is opened, shut, and
 * moved to another process meanwhile: the handlers must see the same.
 *
 * <p>In the input, 0xFF begins a command, see {@link #command}; 0xFF 0xFF is the byte itself.
 */
public abstract class FuzzedStream {

    private static final int COMMAND = 0xFF;

    /** What the handlers have seen. */
    private StringBuilder seen;

    private boolean broken;
    private EmbeddedChannel channel;
    private MessageGate gate;
    private int unanswered;

    /** Adds the handlers; the last one calls {@link #see}. */
    protected abstract void addHandlers(EmbeddedChannel to);

    /** Brings a new connection to where the input begins. */
    protected void begin(EmbeddedChannel connection) {}

    /** Answers a request. */
    protected abstract void answer(EmbeddedChannel connection);

    /** Notes what a handler has seen. */
    protected final void see(String what) {
        if (!broken) {
            seen.append(what);
        }
    }

    /** Notes that the stream is broken: what still comes depends on how the bytes before were split. */
    protected final void seeBreak(Throwable cause) {
        see("broken: " + cause);
        broken = true;
    }

    /** Notes that the handler has got a request which is to be answered. */
    protected final void ask() {
        unanswered++;
    }

    protected final void assertSeenTheSame(byte[] input) {
        ByteBuf in = Unpooled.wrappedBuffer(input);
        ByteBuf plain = Unpooled.buffer(input.length);
        while (in.isReadable()) {
            int c = in.readUnsignedByte();
            if (c != COMMAND || (in.isReadable() && in.readUnsignedByte() == COMMAND)) {
                plain.writeByte(c);
            }
        }
        open(false);
        begin(channel);
        send(plain);
        channel.finishAndReleaseAll();
        String expected = seen.toString();

        in.readerIndex(0);
        open(true);
        begin(channel);
        sendWithCommands(in);
        channel.finishAndReleaseAll();
        assertEquals(expected, seen.toString());
    }

    private void open(boolean gated) {
        seen = new StringBuilder();
        broken = false;
        make(gated);
    }

    private void make(boolean gated) {
        unanswered = 0;
        channel = new EmbeddedChannel();
        channel.pipeline().addLast("first", new Tasks());
        addHandlers(channel);
        gate = gated ? Gates.install(channel) : null;
        assertTrue(!gated || gate != null);
    }

    private void send(ByteBuf bytes) {
        if (bytes.isReadable() && channel.isOpen()) {
            channel.writeInbound(bytes);
        } else {
            bytes.release();
        }
    }

    private void sendWithCommands(ByteBuf in) {
        ByteBuf bytes = Unpooled.buffer();
        while (in.isReadable()) {
            int c = in.readUnsignedByte();
            if (c != COMMAND) {
                bytes.writeByte(c);
                continue;
            }
            int command = in.isReadable() ? in.readUnsignedByte() : 0;
            if (command == COMMAND) {
                bytes.writeByte(c);
                continue;
            }
            send(bytes);
            bytes = Unpooled.buffer();
            if (channel.isOpen()) {
                command(command);
            }
        }
        send(bytes);
    }

    /** Does what a character says; what is none only ends a read. */
    private void command(int command) {
        switch (command) {
            case 's' -> gate.shut();
            case 'o' -> channel.writeInbound((Runnable) gate::open);
            case 'a' -> {
                if (unanswered > 0) {
                    unanswered--;
                    answer(channel);
                }
            }
            case 'm' -> move();
            default -> channel.runPendingTasks();
        }
    }

    /** Does what a handover does to a connection at rest. */
    private void move() {
        gate.shut();
        if (!gate.isAtRest() || gate.whyImmovable() != null) {
            gate.open();
            return;
        }
        byte[] held = gate.held();
        byte[] upgrade = gate.save();
        int before = seen.length();
        channel.pipeline().fireUserEventTriggered(HandoverEvent.HANDED_OVER);
        channel.finishAndReleaseAll();
        assertEquals(before, seen.length(), () -> "seen by the process before: " + seen.substring(before));

        make(true);
        if (upgrade.length > 0) {
            var rebuilt = gate.restore(upgrade);
            channel.runPendingTasks();
            assertTrue(rebuilt.isDone());
            rebuilt.join();
            assertEquals(before, seen.length());
        }
        send(Unpooled.wrappedBuffer(held));
    }

    /** Runs what is no bytes as an event loop does: what that causes by closing happens later. */
    private static final class Tasks extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof Runnable task) {
                task.run();
            } else {
                ctx.fireChannelRead(msg);
            }
        }
    }
}
