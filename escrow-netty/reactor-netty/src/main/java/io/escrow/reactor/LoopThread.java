package io.escrow.reactor;

import io.netty.util.concurrent.FastThreadLocalThread;
import reactor.core.scheduler.NonBlocking;

/** Runs an event loop. Reactor refuses to block it. */
final class LoopThread extends FastThreadLocalThread implements NonBlocking {

    LoopThread(Runnable loop, String name) {
        super(loop, name);
    }
}
