package io.escrow.handover.connection;

import io.netty.channel.Channel;
import java.lang.reflect.Field;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps epoll from reporting that a peer has hung up, for a channel that is to read nothing. Netty 4.1 tries to read again and
 * again when it has seen that, until it has read everything; 4.2 waits for epoll.
 *
 * <p>Netty has no method for that: this class changes its private field.
 */
final class HangUpEvents {

    private static final Logger logger = LoggerFactory.getLogger(HangUpEvents.class);

    private static final int EPOLLRDHUP = 0x2000;

    /** What a channel of Netty 4.1 waits for; {@code null} in Netty 4.2, or where its module keeps its package closed. */
    private static final Field FLAGS = find();

    private HangUpEvents() {}

    private static Field find() {
        try {
            Class<?> type = Class.forName("io.netty.channel.epoll.AbstractEpollChannel");
            Field flags = type.getDeclaredField("flags");
            if (flags.trySetAccessible()) {
                return flags;
            }
            logger.info(
                    "what a peer sends before it hangs up may be read before a start is done: start Java with"
                            + " --add-opens {}/{}={}",
                    type.getModule().getName(),
                    type.getPackageName(),
                    HangUpEvents.class.getModule().isNamed()
                            ? HangUpEvents.class.getModule().getName()
                            : "ALL-UNNAMED");
            return null;
        } catch (NoSuchFieldException e) {
            // Netty 4.2.
            return null;
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException("this version of Netty has no " + e.getMessage(), e);
        }
    }

    /**
     * Ignores hang-ups of a channel that is not registered.
     *
     * @return whether they are ignored; if not, they need not be
     */
    static boolean ignore(Channel channel) {
        if (FLAGS == null) {
            return false;
        }
        set(channel, get(channel) & ~EPOLLRDHUP);
        return true;
    }

    /** Ends {@link #ignore} for a channel that is not registered. */
    static void report(Channel channel) {
        set(channel, get(channel) | EPOLLRDHUP);
    }

    private static int get(Channel channel) {
        try {
            return FLAGS.getInt(channel);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void set(Channel channel, int flags) {
        try {
            FLAGS.setInt(channel, flags);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }
}
