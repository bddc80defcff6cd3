/**
 * Moves connections of MQTT, RESP (Redis), STOMP and the binary protocol of memcache, by framings for the decoders of Netty:
 * the only code of the library that uses {@code netty-codec-mqtt} and {@code netty-codec-memcache}, which need not be there.
 *
 * <p>Internal: not part of the API. Found as services; uses {@code io.escrow.handover.protocol} and Netty only.
 */
package io.escrow.handover.framing;
