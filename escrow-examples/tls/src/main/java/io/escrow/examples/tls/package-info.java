/** What the example servers share for TLS: {@link io.escrow.examples.tls.TlsOptions}, and keys to try it with. */
package io.escrow.examples.tls;
