package io.escrow.handover;

import io.netty.handler.ssl.SslProvider;

/** The same with BoringSSL. */
class OpenSslHandoverTest extends TlsHandoverTest {

    @Override
    SslProvider provider() {
        return SslProvider.OPENSSL;
    }
}
