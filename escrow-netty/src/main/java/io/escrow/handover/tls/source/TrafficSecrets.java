package io.escrow.handover.tls.source;

import java.util.Arrays;

/** The first traffic secrets of a connection of TLS 1.3, as the key log tells them. May be told by another thread. */
final class TrafficSecrets {

    private long engine;
    private byte[] client;
    private byte[] server;

    synchronized void client(long from, byte[] secret) {
        take(from);
        client = secret;
    }

    synchronized void server(long from, byte[] secret) {
        take(from);
        server = secret;
    }

    /** There is one connection: what another engine told before was of a handshake that failed. */
    private void take(long from) {
        if (engine != from) {
            destroy();
            engine = from;
        }
    }

    /** Returns whether both secrets of an engine are there. */
    synchronized boolean areOf(long from) {
        return engine == from && client != null && server != null;
    }

    /** Returns a copy of what the client writes with. */
    synchronized byte[] client() {
        return client.clone();
    }

    /** Returns a copy of what the server writes with. */
    synchronized byte[] server() {
        return server.clone();
    }

    /** Overwrites the secrets. */
    synchronized void destroy() {
        for (byte[] each : new byte[][] {client, server}) {
            if (each != null) {
                Arrays.fill(each, (byte) 0);
            }
        }
        client = null;
        server = null;
    }
}
