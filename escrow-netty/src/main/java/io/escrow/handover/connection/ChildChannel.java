package io.escrow.handover.connection;

import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.net.InetSocketAddress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes channels of descriptors that are children of a listener, as those that it accepts are.
 *
 * <p>Netty (4.2.18) has constructors for that, but not for others: they are called by reflection. Where a module keeps its
 * package closed, a TCP channel has no parent.
 */
final class ChildChannel {

    private static final Logger logger = LoggerFactory.getLogger(ChildChannel.class);

    private static final String SOCKET = "io.netty.channel.epoll.LinuxSocket";

    private static final Constructor<EpollSocketChannel> TCP =
            constructor(EpollSocketChannel.class, InetSocketAddress.class);
    /** Makes a socket of a descriptor, as {@link #MAKE_TCP} makes a channel of that: without arrays of arguments, as most are adopted. */
    private static final MethodHandle MAKE_SOCKET =
            TCP == null ? null : handle(socketConstructor(), MethodType.methodType(Socket.class, int.class));

    private static final MethodHandle MAKE_TCP =
            handle(TCP, MethodType.methodType(Channel.class, Channel.class, Socket.class, InetSocketAddress.class));
    private static final Constructor<EpollDomainSocketChannel> UNIX = constructor(EpollDomainSocketChannel.class);

    private ChildChannel() {}

    private static <C> Constructor<C> constructor(Class<C> type, Class<?>... more) {
        try {
            Class<?>[] parameters = new Class<?>[2 + more.length];
            parameters[0] = Channel.class;
            parameters[1] = Class.forName(SOCKET);
            System.arraycopy(more, 0, parameters, 2, more.length);
            Constructor<C> constructor = type.getDeclaredConstructor(parameters);
            if (constructor.trySetAccessible()) {
                return constructor;
            }
        } catch (ReflectiveOperationException e) {
            logger.debug("no such constructor", e);
        }
        logger.info(
                "adopted channels that are a {} have no parent(): start Java with --add-opens {}/{}={}",
                type.getSimpleName(),
                type.getModule().getName(),
                type.getPackageName(),
                ChildChannel.class.getModule().isNamed()
                        ? ChildChannel.class.getModule().getName()
                        : "ALL-UNNAMED");
        return null;
    }

    private static Constructor<?> socketConstructor() {
        try {
            Constructor<?> constructor = Class.forName(SOCKET).getDeclaredConstructor(int.class);
            return constructor.trySetAccessible() ? constructor : null;
        } catch (ReflectiveOperationException e) {
            logger.debug("no such constructor", e);
            return null;
        }
    }

    private static MethodHandle handle(Constructor<?> constructor, MethodType type) {
        try {
            return constructor == null
                    ? null
                    : MethodHandles.lookup().unreflectConstructor(constructor).asType(type);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException("it was made accessible: " + constructor, e);
        }
    }

    /**
     * Makes a channel.
     *
     * @param descriptor the descriptor, which the channel owns if this succeeds
     * @return the channel; inactive if the peer has reset the connection meanwhile
     */
    static Channel of(Channel listener, int descriptor) {
        if (isUnix(listener)) {
            return child(UNIX, listener, new EpollDomainSocketChannel(descriptor));
        }
        Channel child = MAKE_SOCKET == null ? null : tcpChild(listener, descriptor);
        return child == null ? child(TCP, listener, new EpollSocketChannel(descriptor)) : child;
    }

    /** Makes a child without a channel in between; returns {@code null} if the socket has no peer any more. */
    private static Channel tcpChild(Channel listener, int descriptor) {
        try {
            Socket socket = (Socket) MAKE_SOCKET.invokeExact(descriptor);
            InetSocketAddress peer = socket.remoteAddress();
            return peer == null ? null : (Channel) MAKE_TCP.invokeExact(listener, socket, peer);
        } catch (Throwable e) {
            throw notMade(e);
        }
    }

    private static IllegalStateException notMade(Throwable e) {
        return new IllegalStateException("Netty can't make a channel of a descriptor: " + e, e);
    }

    /** Returns whether the children of a listener are UNIX-domain sockets. */
    static boolean isUnix(Channel listener) {
        return listener instanceof EpollServerDomainSocketChannel;
    }

    /** Makes a child of the socket of a channel that is not used any further; or takes that one if nothing else will do. */
    private static <C extends Channel> Channel child(Constructor<C> constructor, Channel listener, C fresh) {
        if (constructor == null || !fresh.isActive()) {
            return fresh;
        }
        FileDescriptor socket = ((UnixChannel) fresh).fd();
        try {
            return constructor.getParameterCount() == 2
                    ? constructor.newInstance(listener, socket)
                    : constructor.newInstance(listener, socket, fresh.remoteAddress());
        } catch (ReflectiveOperationException e) {
            throw notMade(e);
        }
    }
}
