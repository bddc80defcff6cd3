package io.escrow.handover.link;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A pair of sockets is connected to each other. */
class SocketPairTest {

    static {
        Epoll.ensureAvailability();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatOneEndSendsComesOutOfTheOther(boolean tcp) throws Exception {
        SocketPair pair = tcp ? SocketPair.openTcp() : SocketPair.open();
        Socket one = new Socket(pair.one());
        Socket other = new Socket(pair.other());
        try {
            ByteBuffer sent = ByteBuffer.allocateDirect(8).put("seven".getBytes(US_ASCII));
            assertEquals(5, one.write(sent, 0, 5));

            ByteBuffer came = ByteBuffer.allocateDirect(8);
            assertEquals(5, other.read(came, 0, 8));
            assertEquals(sent.flip(), came.limit(5));
        } finally {
            one.close();
            other.close();
        }
    }

    @Test
    void aTcpPairIsOnTheLoopbackInterfaceAndHoldsNothingBack() throws Exception {
        SocketPair pair = SocketPair.openTcp();
        Socket one = new Socket(pair.one());
        Socket other = new Socket(pair.other());
        try {
            assertTrue(one.remoteAddress().getAddress().isLoopbackAddress());
            assertEquals(one.localAddress(), other.remoteAddress());
            assertEquals(other.localAddress(), one.remoteAddress());
            assertTrue(one.isTcpNoDelay());
            assertTrue(other.isTcpNoDelay());
        } finally {
            one.close();
            other.close();
        }
    }
}
