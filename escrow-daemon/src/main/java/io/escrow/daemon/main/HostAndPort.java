package io.escrow.daemon.main;

import java.net.InetSocketAddress;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Parses an address; the default host is the loopback interface. */
final class HostAndPort implements ITypeConverter<InetSocketAddress> {

    @Override
    public InetSocketAddress convert(String text) {
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "127.0.0.1" : text.substring(0, colon).replaceAll("^\\[|]$", "");
        try {
            InetSocketAddress address = new InetSocketAddress(host, Integer.parseInt(text.substring(colon + 1)));
            if (!address.isUnresolved()) {
                return address;
            }
        } catch (IllegalArgumentException e) {
            // The exception below names the value.
        }
        throw new TypeConversionException("'" + text + "' is not [HOST:]PORT with a PORT of 0 to 65535");
    }
}
