/**
 * Where the state of live TLS connections comes from: one {@link io.escrow.handover.tls.source.TlsSource} for each provider.
 *
 * <p>Internal: not part of the API. Needs {@code netty-handler}. Uses {@code io.escrow.handover.tls.record}.
 */
package io.escrow.handover.tls.source;
