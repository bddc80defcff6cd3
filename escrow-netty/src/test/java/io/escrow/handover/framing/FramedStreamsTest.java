package io.escrow.handover.framing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.escrow.handover.connection.FuzzedStream;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufHolder;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderResultProvider;
import io.netty.handler.codec.memcache.binary.BinaryMemcacheObjectAggregator;
import io.netty.handler.codec.memcache.binary.BinaryMemcacheServerCodec;
import io.netty.handler.codec.memcache.binary.FullBinaryMemcacheRequest;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttPublishMessage;
import io.netty.handler.codec.redis.ArrayRedisMessage;
import io.netty.handler.codec.redis.RedisArrayAggregator;
import io.netty.handler.codec.redis.RedisBulkStringAggregator;
import io.netty.handler.codec.redis.RedisDecoder;
import io.netty.handler.codec.redis.RedisMessage;
import io.netty.handler.codec.stomp.StompFrame;
import io.netty.handler.codec.stomp.StompSubframeAggregator;
import io.netty.handler.codec.stomp.StompSubframeDecoder;
import io.netty.util.ReferenceCountUtil;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sends random messages, cut and moved anywhere, through gates: the handlers must see what they see without one. */
class FramedStreamsTest {

    private static final int ROUNDS = 100;
    private static final int MAX = 1 << 20;
    private static final int COMMAND = 0xFF;

    private enum Codec {
        MQTT {
            @Override
            void addTo(EmbeddedChannel channel) {
                channel.pipeline().addLast(new MqttDecoder(MAX));
            }

            @Override
            void write(Random random, ByteBuf out) {
                if (random.nextInt(4) == 0) {
                    out.writeShort(0xC000); // PINGREQ
                    return;
                }
                byte[] payload = payload(random);
                int remaining = 2 + 1 + payload.length;
                out.writeByte(0x30);
                while (remaining > 127) {
                    out.writeByte((remaining & 0x7F) | 0x80);
                    remaining >>= 7;
                }
                out.writeByte(remaining).writeShort(1).writeByte('t').writeBytes(payload);
            }

            @Override
            void writeMalformed(Random random, ByteBuf out) {
                switch (random.nextInt(3)) {
                    case 0 -> out.writeByte(0x36); // QoS 3
                    case 1 -> out.writeByte(0x30).writeInt(0xF0F0F0F0); // a length of more than 4 bytes
                    default -> out.writeByte(0x30).writeInt(0xE0E0E060); // longer than MAX
                }
            }
        },
        REDIS {
            @Override
            void addTo(EmbeddedChannel channel) {
                channel.pipeline()
                        .addLast(
                                new RedisDecoder(true),
                                new RedisBulkStringAggregator(),
                                new RedisArrayAggregator(1000, 8));
            }

            @Override
            void write(Random random, ByteBuf out) {
                writeElement(random, out, 2);
            }

            private void writeElement(Random random, ByteBuf out, int depth) {
                switch (random.nextInt(6)) {
                    case 0 -> put(out, "+simple\r\n");
                    case 1 -> put(out, "PING\r\n");
                    case 2 -> put(out, random.nextBoolean() ? "$-1\r\n" : "$0\r\n\r\n");
                    case 3 -> {
                        byte[] payload = payload(random);
                        put(out, "$" + payload.length + "\r\n");
                        put(out.writeBytes(payload), "\r\n");
                    }
                    default -> {
                        int elements = depth == 0 ? 0 : random.nextInt(4);
                        put(out, "*" + elements + "\r\n");
                        for (int i = 0; i < elements; i++) {
                            writeElement(random, out, depth - 1);
                        }
                    }
                }
            }

            @Override
            void writeMalformed(Random random, ByteBuf out) {
                put(
                        out,
                        switch (random.nextInt(3)) {
                            case 0 -> "*x\r\n";
                            case 1 -> "$3\r\nabcdef\r\n";
                            default -> "$123456789012345678901234567890";
                        });
            }
        },
        STOMP {
            @Override
            void addTo(EmbeddedChannel channel) {
                channel.pipeline().addLast(new StompSubframeDecoder(), new StompSubframeAggregator(MAX));
            }

            @Override
            void write(Random random, ByteBuf out) {
                byte[] payload = payload(random);
                String end = random.nextBoolean() ? "\n" : "\r\n";
                put(out, "SEND" + end + "destination:d" + end);
                if (random.nextBoolean()) {
                    put(out, "content-length:" + payload.length + end + "content-length:1" + end);
                } else {
                    for (int i = 0; i < payload.length; i++) {
                        payload[i] |= 1;
                    }
                }
                put(out, end);
                out.writeBytes(payload).writeByte(0);
                put(out, end.repeat(random.nextInt(3)));
            }

            @Override
            void writeMalformed(Random random, ByteBuf out) {
                put(
                        out,
                        switch (random.nextInt(3)) {
                            case 0 -> "NONSENSE\n\n\0";
                            case 1 -> "SEND\ncontent-length:1\n\nabc\0";
                            default -> "SEND\ncontent-length:x\n\nabc\0";
                        });
            }
        },
        MEMCACHE {
            @Override
            void addTo(EmbeddedChannel channel) {
                channel.pipeline().addLast(new BinaryMemcacheServerCodec(), new BinaryMemcacheObjectAggregator(MAX));
            }

            @Override
            void write(Random random, ByteBuf out) {
                byte[] payload = payload(random);
                header(out, random.nextInt(Math.min(9, payload.length + 1)), payload.length);
                out.writeBytes(payload);
            }

            private void header(ByteBuf out, int key, int body) {
                out.writeByte(0x80).writeByte(1).writeShort(key).writeInt(0).writeInt(body);
                out.writeInt(0).writeLong(0);
            }

            @Override
            void writeMalformed(Random random, ByteBuf out) {
                header(out, 2, random.nextBoolean() ? 1 : -1);
            }
        };

        abstract void addTo(EmbeddedChannel channel);

        abstract void write(Random random, ByteBuf out);

        /** Writes something of which the decoder complains; what follows does not matter. */
        abstract void writeMalformed(Random random, ByteBuf out);

        private static void put(ByteBuf out, String text) {
            out.writeCharSequence(text, ISO_8859_1);
        }

        private static byte[] payload(Random random) {
            int max = random.nextInt(20) == 0 ? 200_000 : random.nextBoolean() ? 10 : 300;
            byte[] payload = new byte[random.nextInt(max)];
            random.nextBytes(payload);
            return payload;
        }
    }

    @ParameterizedTest
    @EnumSource
    void handlersSeeTheSame(Codec codec) {
        Stream stream = new Stream(codec);
        for (int seed = 0; seed < ROUNDS; seed++) {
            stream.send(new Random(seed));
        }
    }

    private static final class Stream extends FuzzedStream {
        private final Codec codec;

        Stream(Codec codec) {
            this.codec = codec;
        }

        void send(Random random) {
            ByteBuf plain = Unpooled.buffer();
            int messages = random.nextInt(8);
            for (int i = 0; i < messages; i++) {
                codec.write(random, plain);
            }
            if (random.nextInt(3) == 0) {
                codec.writeMalformed(random, plain);
                codec.write(random, plain);
            }
            ByteBuf input = Unpooled.buffer();
            String commands = "smox";
            // A cut may move the connection, which takes longer than a byte.
            int most = plain.readableBytes() < 2_000 && random.nextBoolean() ? 8 : 60_000;
            int until = 0;
            while (plain.isReadable()) {
                if (until-- == 0) {
                    until = random.nextInt(most);
                    input.writeByte(COMMAND).writeByte(commands.charAt(random.nextInt(commands.length())));
                }
                int b = plain.readUnsignedByte();
                input.writeByte(b);
                if (b == COMMAND) {
                    input.writeByte(b);
                }
            }
            assertSeenTheSame(ByteBufUtil.getBytes(input));
        }

        @Override
        protected void addHandlers(EmbeddedChannel to) {
            codec.addTo(to);
            to.pipeline().addLast(new Handler());
        }

        @Override
        protected void answer(EmbeddedChannel connection) {
            throw new AssertionError("nothing is asked");
        }

        private final class Handler extends ChannelInboundHandlerAdapter {
            @Override
            public void channelRead(ChannelHandlerContext ctx, Object msg) {
                if (isFailure(msg)) {
                    seeBreak(null);
                } else {
                    see(text(msg) + "\n");
                }
                ReferenceCountUtil.release(msg);
            }

            @Override
            public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
                seeBreak(null);
            }
        }

        private static boolean isFailure(Object msg) {
            return msg instanceof MqttMessage mqtt
                    ? mqtt.decoderResult().isFailure()
                    : msg instanceof DecoderResultProvider result
                            && result.decoderResult().isFailure();
        }

        private static String text(Object msg) {
            if (msg instanceof MqttPublishMessage publish) {
                return publish.variableHeader().topicName() + ByteBufUtil.hexDump(publish.payload());
            }
            if (msg instanceof MqttMessage mqtt) {
                return mqtt.fixedHeader().toString();
            }
            if (msg instanceof ArrayRedisMessage array) {
                StringBuilder all = new StringBuilder("[");
                for (RedisMessage child : array.children()) {
                    all.append(text(child)).append(',');
                }
                return all.append(']').toString();
            }
            if (msg instanceof StompFrame frame) {
                return frame.command() + " " + frame.headers() + ByteBufUtil.hexDump(frame.content());
            }
            if (msg instanceof FullBinaryMemcacheRequest request) {
                return request.keyLength() + ByteBufUtil.hexDump(request.content());
            }
            return msg instanceof ByteBufHolder holder ? ByteBufUtil.hexDump(holder.content()) : msg.toString();
        }
    }
}
