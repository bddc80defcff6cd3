package io.escrow.handover.protocol;

import io.netty.channel.ChannelHandler;
import java.util.function.Supplier;

/**
 * Moves the connections of a decoder that keeps state inside a message: a {@link MessageFraming} tells where messages end, and
 * the decoder gets whole ones only.
 *
 * <p>Given to a builder as {@code protocol(new FramedProtocol("lines", LineDecoder.class, LineFraming::new))}; a decoder that
 * extends Netty's {@code ReplayingDecoder} is vouched for, too.
 *
 * <p>A subclass with a constructor without parameters can be found as a service.
 */
public class FramedProtocol implements Protocol {

    private final String name;
    private final String decoder;
    private final Supplier<? extends MessageFraming> framing;

    /**
     * Describes a protocol by a decoder.
     *
     * @param name the name, see {@link Protocol#name()}
     * @param decoder the class of the decoder by which a connection is recognised, or one that it extends
     * @param framing makes a framing for each connection; called on its event loop
     */
    public FramedProtocol(
            String name, Class<? extends ChannelHandler> decoder, Supplier<? extends MessageFraming> framing) {
        this(name, decoder.getName(), framing);
    }

    /**
     * Describes a protocol by a decoder whose class need not be there.
     *
     * @param name the name, see {@link Protocol#name()}
     * @param decoder the name of the class of the decoder by which a connection is recognised, or of one that it extends
     * @param framing makes a framing for each connection; called on its event loop
     */
    public FramedProtocol(String name, String decoder, Supplier<? extends MessageFraming> framing) {
        this.name = name;
        this.decoder = decoder;
        this.framing = framing;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final ProtocolConnection recognise(ProtocolContext context) {
        ChannelHandler found = context.find(decoder);
        return found == null ? null : connection(context, found, framing.get());
    }

    /**
     * Makes what this protocol knows about a connection.
     *
     * @param context the connection
     * @param found the decoder
     * @param fresh a new framing
     * @return a {@link FramedConnection}, unless a subclass returns something else
     */
    protected ProtocolConnection connection(ProtocolContext context, ChannelHandler found, MessageFraming fresh) {
        return new FramedConnection(context, name, found, fresh);
    }
}
