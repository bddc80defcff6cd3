package io.escrow.handover.http;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtension;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionData;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionFilter;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionFilterProvider;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateServerExtensionHandshaker;
import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.zip.Deflater;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeflateWindowTest {

    private static final int LONGEST = 5_000;

    private static final WebSocketExtensionFilter NO_BINARY_MESSAGES = frame -> frame instanceof BinaryWebSocketFrame;

    private final Random random = new Random(7);

    /** The peer's compressor, with a context that it takes over. */
    private final Deflater peer = new Deflater(6, true);

    private final byte[] words = new byte[3 * DeflateWindow.SIZE];
    private EmbeddedChannel server;

    @AfterEach
    void close() {
        peer.end();
        server.finishAndReleaseAll();
    }

    @SuppressWarnings("deprecation") // Netty 4.1 has no other
    private ChannelHandlerContext open(int maxAllocation, WebSocketExtensionFilter filter) {
        server = new EmbeddedChannel(new PerMessageDeflateServerExtensionHandshaker(
                        6,
                        false,
                        15,
                        false,
                        false,
                        new WebSocketExtensionFilterProvider() {
                            @Override
                            public WebSocketExtensionFilter encoderFilter() {
                                return filter;
                            }

                            @Override
                            public WebSocketExtensionFilter decoderFilter() {
                                return filter;
                            }
                        },
                        maxAllocation)
                .handshakeExtension(new WebSocketExtensionData("permessage-deflate", Map.of()))
                .newExtensionDecoder());
        return server.pipeline().firstContext();
    }

    private ChannelHandlerContext open(int maxAllocation) {
        return open(maxAllocation, WebSocketExtensionFilter.NEVER_SKIP);
    }

    /** Has messages decoded that refer to those before, as far back as possible. */
    private void assertDecodes(int messages, int longest) {
        for (int i = 0; i < messages; i++) {
            int from = random.nextInt(words.length - longest);
            byte[] message = Arrays.copyOfRange(words, from, from + 1 + random.nextInt(longest));
            server.writeInbound(new TextWebSocketFrame(true, WebSocketExtension.RSV1, compressed(message)));
            TextWebSocketFrame decoded = server.readInbound();
            assertArrayEquals(message, ByteBufUtil.getBytes(decoded.content()));
            decoded.release();
            assertNull(server.readInbound());
        }
    }

    private ByteBuf compressed(byte[] message) {
        peer.setInput(message);
        byte[] part = new byte[2 * LONGEST + 100];
        int length = peer.deflate(part, 0, part.length, Deflater.SYNC_FLUSH);
        return Unpooled.copiedBuffer(part, 0, length - 4);
    }

    private static ByteBuf saved(DeflateWindow window) {
        ByteBuf out = Unpooled.buffer();
        window.save(out);
        return out;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 200_000, 6_000, 1_000})
    void theWindowMovesFromDecoderToDecoder(int maxAllocation) throws IOException {
        random.nextBytes(words);
        int longest = maxAllocation == 1_000 ? 200 : LONGEST;
        DeflateWindow window = DeflateWindow.fresh(open(maxAllocation));
        assertNotNull(window);
        for (int move = 0; move < 20; move++) {
            assertDecodes(move, longest);
            ByteBuf saved = saved(window);
            EmbeddedChannel before = server;
            window = DeflateWindow.restored(open(maxAllocation), saved);
            before.finishAndReleaseAll();
        }
        assertDecodes(50, longest);
    }

    @Test
    void aDecoderGoesOnAfterItsWindowWasRead() throws IOException {
        random.nextBytes(words);
        DeflateWindow window = DeflateWindow.fresh(open(0));
        for (int i = 0; i < 20; i++) {
            assertDecodes(i, LONGEST);
            assertEquals(saved(window), saved(window));
        }
        assertEquals(1, server.pipeline().toMap().size());
    }

    @Test
    void aWindowThatIsHardlyUsedTakesLittle() {
        assertTrue(saved(DeflateWindow.fresh(open(0))).readableBytes() < 200);
        assertDecodes(1, 100);
    }

    @Test
    void aDecoderThatDoesNotTakeAWindowWorksAsBefore() {
        random.nextBytes(words);
        assertNull(DeflateWindow.fresh(open(0, NO_BINARY_MESSAGES)));
        assertDecodes(50, LONGEST);
    }

    @Test
    void whatIsNoWindowIsRefused() {
        ByteBuf shortened = saved(DeflateWindow.fresh(open(0)));
        shortened.writerIndex(shortened.writerIndex() - 8);
        assertThrows(IOException.class, () -> DeflateWindow.restored(open(0), shortened));
        ByteBuf nonsense = Unpooled.wrappedBuffer(new byte[] {-1, -1, -1});
        assertThrows(IOException.class, () -> DeflateWindow.restored(open(0), nonsense));
    }

    @Test
    void aDecoderThatDoesNotTakeAWindowLeavesTheConnection() {
        ByteBuf saved = saved(DeflateWindow.fresh(open(0)));
        assertThrows(IOException.class, () -> DeflateWindow.restored(open(0, NO_BINARY_MESSAGES), saved.duplicate()));
        assertThrows(IOException.class, () -> DeflateWindow.restored(open(200), saved));
    }
}
