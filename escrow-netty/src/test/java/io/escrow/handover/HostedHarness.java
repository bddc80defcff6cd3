package io.escrow.handover;

import java.net.InetAddress;
import java.net.InetSocketAddress;

/** Runs servers whose listeners {@link FakeFramework} makes and binds. */
abstract class HostedHarness extends HandoverHarness {

    static final byte[] RECORD = Peer.bytes(1000, 1);

    final FakeFramework framework = new FakeFramework(group);

    final ServerHandoverBuilder server() {
        return ServerHandover.with(escrow()).crashSafe(crashSafe);
    }

    /** Returns the address of the server before. */
    final InetSocketAddress address() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    }

    static InetSocketAddress anyAddress() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    final ServerHandover startHosted(ServerHandoverBuilder builder) throws Exception {
        return startHosted(builder.transport());
    }

    final ServerHandover startHosted(HandoverTransport transport) throws Exception {
        framework.bind(transport.serverChannels("echo"), address()).sync();
        return add(transport.server().get());
    }
}
