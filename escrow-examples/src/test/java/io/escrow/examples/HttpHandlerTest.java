package io.escrow.examples;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HttpHandlerTest {

    /** A client takes its connection for kept when its version says so, or a header. */
    @ParameterizedTest
    @CsvSource({
        "1.1, '', '', true",
        "1.1, close, close, false",
        "1.0, '', close, false",
        "1.0, keep-alive, keep-alive, true",
        "1.0, Keep-Alive, keep-alive, true"
    })
    void keepsConnectionAsAskedAndTellsSo(String version, String asked, String told, boolean kept) {
        EmbeddedChannel channel = new EmbeddedChannel(
                new HttpServerCodec(),
                new HttpServerKeepAliveHandler(),
                new HttpObjectAggregator(100),
                new HttpHandler());
        String header = asked.isEmpty() ? "" : "Connection: " + asked + "\r\n";
        channel.writeInbound(Unpooled.copiedBuffer("GET / HTTP/" + version + "\r\n" + header + "\r\n", US_ASCII));
        channel.runPendingTasks();

        String response = sent(channel);
        assertTrue(response.startsWith("HTTP/1.1 200 OK\r\n"), response);
        assertEquals(told, value(response, "connection"), response);
        assertEquals(kept, channel.isOpen());
        channel.finishAndReleaseAll();
    }

    private static String sent(EmbeddedChannel channel) {
        StringBuilder sent = new StringBuilder();
        for (ByteBuf part = channel.readOutbound(); part != null; part = channel.readOutbound()) {
            sent.append(part.toString(US_ASCII));
            part.release();
        }
        return sent.toString();
    }

    private static String value(String response, String header) {
        return response.lines()
                .filter(line -> line.startsWith(header + ": "))
                .map(line -> line.substring(header.length() + 2))
                .findFirst()
                .orElse("");
    }
}
