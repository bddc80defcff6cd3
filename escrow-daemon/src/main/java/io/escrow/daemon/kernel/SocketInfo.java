package io.escrow.daemon.kernel;

import io.netty.channel.ChannelException;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;

/** Asks the kernel about a socket. Neither changes the socket nor reads data from it. */
public final class SocketInfo {

    // socket(7), unix(7), tcp(7); x86_64 and aarch64
    private static final int SOL_SOCKET = 1;
    private static final int SO_TYPE = 3;
    private static final int SO_PEERCRED = 17;
    private static final int SO_ACCEPTCONN = 30;
    private static final int SO_PROTOCOL = 38;
    private static final int SO_DOMAIN = 39;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_SEQPACKET = 5;
    private static final int AF_UNIX = 1;
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_INFO = 11;
    private static final int TCP_INFO_LENGTH = 144;
    private static final int TCPI_RTT = 68;
    private static final int TCPI_TOTAL_RETRANS = 100;
    private static final int TCPI_SEGS_IN = 140;
    private static final int UCRED_LENGTH = 12;
    private static final int UCRED_UID = 4;

    private static final String[] TCP_STATES = {
        "?",
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "NEW_SYN_RECV"
    };

    private final Socket socket;
    private final int domain;
    private final int type;
    private final boolean listening;

    /** Creates an object for a socket, which the caller still has to close. */
    public SocketInfo(int descriptor) throws IOException {
        socket = socket(descriptor);
        domain = socket.getIntOpt(SOL_SOCKET, SO_DOMAIN);
        type = socket.getIntOpt(SOL_SOCKET, SO_TYPE);
        listening = socket.getIntOpt(SOL_SOCKET, SO_ACCEPTCONN) != 0;
    }

    private static Socket socket(int descriptor) throws IOException {
        try {
            return new Socket(descriptor);
        } catch (ChannelException e) {
            throw new IOException("a socket of a family that has no addresses", e);
        }
    }

    private boolean isInternet() {
        return domain == AF_INET || domain == AF_INET6;
    }

    private boolean isTcp() throws IOException {
        return isInternet() && type == SOCK_STREAM && socket.getIntOpt(SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
    }

    /** Returns whether the socket is a stream that does not listen. */
    public boolean isConnection() {
        return type == SOCK_STREAM && !listening;
    }

    /** Returns whether the socket is a stream that is connected or was connected. */
    boolean wasConnected() throws IOException {
        if (type != SOCK_STREAM) {
            return false;
        }
        return domain == AF_UNIX
                ? hasUnixPeer()
                : option(IPPROTO_TCP, TCP_INFO, TCP_INFO_LENGTH).getInt(TCPI_SEGS_IN) != 0;
    }

    private boolean hasUnixPeer() throws IOException {
        return option(SOL_SOCKET, SO_PEERCRED, UCRED_LENGTH).getInt(UCRED_UID) != -1;
    }

    /** Returns whether the socket is in the UNIX domain. */
    public boolean isUnix() {
        return domain == AF_UNIX;
    }

    /** Returns the kind of the socket, in one word. */
    public String kind() throws IOException {
        if (domain == AF_UNIX) {
            return type == SOCK_DGRAM ? "unix-datagram" : listening ? "unix-listener" : "unix";
        } else if (isTcp()) {
            return listening ? "tcp-listener" : "tcp";
        } else if (isInternet() && type == SOCK_DGRAM) {
            return "udp";
        }
        return "socket";
    }

    /** Returns the address of the socket; {@code null} if it has none. */
    public String local() {
        if (domain == AF_UNIX) {
            return text(socket.localDomainSocketAddress());
        }
        return isInternet() ? text(socket.localAddress()) : null;
    }

    /** Returns the address of the peer, or its process if it has no address; {@code null} if neither is known. */
    public String peer() throws IOException {
        if (listening) {
            return null;
        }
        if (isInternet()) {
            return text(socket.remoteAddress());
        }
        if (domain != AF_UNIX) {
            return null;
        }
        String address = text(socket.remoteDomainSocketAddress());
        if (address != null || (type != SOCK_STREAM && type != SOCK_SEQPACKET)) {
            return address;
        }
        int pid = option(SOL_SOCKET, SO_PEERCRED, UCRED_LENGTH).getInt(0);
        return pid == 0 ? null : "pid " + pid;
    }

    /** Returns the state of the connection; {@code null} if sockets of this kind have none. */
    public String state() throws IOException {
        if (isTcp()) {
            int state = option(IPPROTO_TCP, TCP_INFO, TCP_INFO_LENGTH).get(0);
            return state < TCP_STATES.length ? TCP_STATES[state] : TCP_STATES[0];
        }
        if (domain != AF_UNIX || type == SOCK_DGRAM) {
            return null;
        }
        return listening ? "LISTEN" : hasUnixPeer() ? "CONNECTED" : "UNCONNECTED";
    }

    /** Returns further properties by name. */
    public Map<String, String> details() throws IOException {
        Map<String, String> details = new LinkedHashMap<>();
        details.put("receive buffer", socket.getReceiveBufferSize() + " bytes");
        details.put("send buffer", socket.getSendBufferSize() + " bytes");
        if (isTcp() && !listening) {
            ByteBuffer info = option(IPPROTO_TCP, TCP_INFO, TCP_INFO_LENGTH);
            details.put("no delay", yesOrNo(socket.isTcpNoDelay()));
            details.put("keep alive", yesOrNo(socket.isKeepAlive()));
            details.put("linger", socket.getSoLinger() < 0 ? "off" : socket.getSoLinger() + " s");
            details.put("round trip", info.getInt(TCPI_RTT) / 1e3 + " ms");
            details.put("retransmitted", info.getInt(TCPI_TOTAL_RETRANS) + " segments");
        }
        return details;
    }

    private static String yesOrNo(boolean set) {
        return set ? "yes" : "no";
    }

    private ByteBuffer option(int level, int name, int length) throws IOException {
        ByteBuffer value = ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder());
        socket.getRawOpt(level, name, value);
        return value;
    }

    private static String text(DomainSocketAddress address) {
        String path = address == null ? "" : address.path();
        // An abstract name begins with a zero, and is written with an @.
        return path.isEmpty() ? null : path.charAt(0) == 0 ? "@" + path.substring(1) : path;
    }

    private static String text(InetSocketAddress address) {
        return address == null ? null : NetUtil.toSocketAddressString(address);
    }
}
