/** What the example servers share for TLS: {@link io.escrow.examples.tls.TlsOptions}. */
package io.escrow.examples.tls;
