package io.escrow.daemon.control;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.daemon.kernel.OpenFiles;
import io.escrow.daemon.kernel.WaitingClients;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.QueryStringDecoder;

/** Answers a monitoring system, which can read the metrics and nothing else. Runs on the operators' event loop. */
final class MetricsHandler extends SimpleChannelInboundHandler<FullHttpRequest> {

    private final ControlService service;
    private final String mainSocket;

    MetricsHandler(ControlService service, String mainSocket) {
        this.service = service;
        this.mainSocket = mainSocket;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
        try {
            if (!isForMetrics(request)) {
                throw new EscrowException(Status.ENOENT, "no such request (expected: GET /metrics)");
            }
            answer(ctx, service, mainSocket);
        } catch (EscrowException e) {
            HttpResponses.fail(ctx, e);
        }
    }

    private static boolean isForMetrics(FullHttpRequest request) {
        try {
            return request.decoderResult().isSuccess()
                    && request.method().equals(HttpMethod.GET)
                    && new QueryStringDecoder(request.uri()).path().equals("/metrics");
        } catch (IllegalArgumentException e) {
            return false; // Not a valid URI.
        }
    }

    /** Sends the current metrics. */
    static void answer(ChannelHandlerContext ctx, ControlService service, String mainSocket) throws EscrowException {
        service.whenDone(
                service.figures(WaitingClients.at(mainSocket), OpenFiles.now()), ctx.executor(), (figures, failure) -> {
                    if (failure == null) {
                        HttpResponses.send(ctx, HttpResponseStatus.OK, Metrics.CONTENT_TYPE, Metrics.text(figures));
                    } else {
                        HttpResponses.fail(ctx, failure);
                    }
                });
    }
}
