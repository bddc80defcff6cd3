package io.escrow.handover.connection;

import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;

/** Keeps the protocols of a server, and finds the one that a connection speaks. Immutable. */
public final class ProtocolRegistry {

    private static final String NAME = "[ -~]{1,100}";

    private final List<Protocol> protocols;

    private ProtocolRegistry(List<Protocol> protocols) {
        this.protocols = List.copyOf(protocols);
    }

    /**
     * Makes a registry of some protocols, and behind them of those that are found as services under other names.
     *
     * @throws IllegalArgumentException if a name is not one, or two of the given protocols have the same
     */
    public static ProtocolRegistry with(Collection<Protocol> first) {
        List<Protocol> all = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Protocol protocol : first) {
            if (!names.add(checkedName(protocol))) {
                throw new IllegalArgumentException("two protocols are named " + protocol.name() + ": give one of them");
            }
            all.add(protocol);
        }
        for (Protocol protocol : ServiceLoader.load(Protocol.class, Protocol.class.getClassLoader())) {
            if (names.add(checkedName(protocol))) {
                all.add(protocol);
            }
        }
        return new ProtocolRegistry(all);
    }

    /** Makes a registry of the protocols of this library, and no others. */
    public static ProtocolRegistry ofLibrary() {
        String library = Protocol.class.getPackageName().replace(".protocol", ".");
        return new ProtocolRegistry(with(List.of()).protocols.stream()
                .filter(protocol -> protocol.getClass().getName().startsWith(library))
                .toList());
    }

    private static String checkedName(Protocol protocol) {
        if (!protocol.name().matches(NAME)) {
            throw new IllegalArgumentException(
                    "name of protocol " + protocol.getClass().getName() + ": \"" + protocol.name()
                            + "\" (expected: 1 to 100 printable ASCII characters)");
        }
        return protocol.name();
    }

    /**
     * Puts a gate into the pipeline of a connection if one of the protocols recognises it.
     *
     * @return the gate; {@code null} if no protocol does
     */
    public MessageGate install(ProtocolContext context) {
        for (int i = 0; i < protocols.size(); i++) {
            Protocol protocol = protocols.get(i);
            ProtocolConnection connection = protocol.recognise(context);
            if (connection != null) {
                return MessageGate.install(context.pipeline(), protocol.name(), connection);
            }
        }
        return null;
    }
}
