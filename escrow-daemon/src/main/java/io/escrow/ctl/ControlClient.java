package io.escrow.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonParseException;
import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.control.ErrorView;
import io.escrow.control.Json;
import io.escrow.control.ShortName;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Sends requests to a daemon's control socket, each on a connection of its own, and waits for the answer. May be used
 * by any thread.
 */
final class ControlClient implements AutoCloseable {

    private static final int END_SECONDS = 30;

    private final Path path;
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory("escrowctl", true), EpollIoHandler.newFactory());

    /**
     * Creates a client.
     *
     * @param path the path of the daemon's main socket
     */
    ControlClient(Path path) {
        this.path = path;
    }

    /** Sends a GET request and returns the answer. */
    String get(String what) throws EscrowException {
        return ask(HttpMethod.GET, what);
    }

    /** Sends a DELETE request and returns the answer. */
    String delete(String what) throws EscrowException {
        return ask(HttpMethod.DELETE, what);
    }

    /** Sends a POST request for an upgrade, and returns the answer when the daemon's process has ended. */
    String upgrade(String what) throws EscrowException {
        StringBuilder answer = new StringBuilder();
        stream(HttpMethod.POST, what, line -> answer.append(line).append('\n'), true);
        return answer.toString();
    }

    private String ask(HttpMethod method, String what) throws EscrowException {
        StringBuilder answer = new StringBuilder();
        stream(method, what, line -> answer.append(line).append('\n'), false);
        return answer.toString();
    }

    /**
     * Sends a GET request whose answer has many lines, and waits for the last line.
     *
     * @param lines called for each line, on an event loop; the daemon waits while it runs
     */
    void lines(String what, Consumer<String> lines) throws EscrowException {
        stream(HttpMethod.GET, what, lines, false);
    }

    private void stream(HttpMethod method, String what, Consumer<String> lines, boolean toTheEnd)
            throws EscrowException {
        Answer answer = new Answer(lines);
        Channel channel = connect(answer);
        DefaultFullHttpRequest request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, method, what);
        request.headers().set(HttpHeaderNames.HOST, "escrowd");
        channel.writeAndFlush(request);
        try {
            answer.done.get();
            if (toTheEnd && !channel.closeFuture().await(END_SECONDS, TimeUnit.SECONDS)) {
                throw new EscrowException(
                        Status.ETIMEDOUT,
                        "another escrowd serves, but the one before has not ended within " + END_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EscrowException(Status.ECONNRESET, "interrupted while escrowd answered", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof EscrowException failure) {
                throw failure;
            }
            throw new EscrowException(Status.ECONNRESET, "escrowd's answer can't be read: " + e.getCause(), e);
        } finally {
            channel.close();
        }
    }

    private Channel connect(Answer answer) throws EscrowException {
        Path control = SocketPath.control(path);
        try (ShortName name = new ShortName(control)) {
            ChannelFuture connected = new Bootstrap()
                    .group(group)
                    .channel(EpollDomainSocketChannel.class)
                    // Who is refused is answered before the request is written, which then fails.
                    .option(ChannelOption.AUTO_CLOSE, false)
                    .handler(new ChannelInitializer<Channel>() {
                        @Override
                        protected void initChannel(Channel channel) {
                            channel.pipeline().addLast(new HttpClientCodec(), answer);
                        }
                    })
                    .connect(new DomainSocketAddress(name.toString()))
                    .awaitUninterruptibly();
            if (!connected.isSuccess()) {
                throw unreachable(control, connected.cause());
            }
            return connected.channel();
        } catch (IOException e) {
            throw e instanceof EscrowException failure ? failure : unreachable(control, e);
        }
    }

    private static EscrowException unreachable(Path control, Throwable cause) {
        if (Files.notExists(control)) {
            return new EscrowException(
                    Status.ECONNREFUSED, "no escrowd: there is no socket \"" + control + "\"", cause);
        }
        if (!Files.isWritable(control)) {
            return new EscrowException(Status.EACCES, "no permission to connect to \"" + control + "\"", cause);
        }
        return new EscrowException(Status.ECONNREFUSED, "no escrowd listens on \"" + control + "\"", cause);
    }

    @Override
    public void close() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    /** Reads one answer. */
    private static final class Answer extends SimpleChannelInboundHandler<HttpObject> {

        private final Consumer<String> lines;
        private final CompletableFuture<Void> done = new CompletableFuture<>();
        private final ByteArrayOutputStream line = new ByteArrayOutputStream();
        private final StringBuilder error = new StringBuilder();
        private HttpResponseStatus status;

        Answer(Consumer<String> lines) {
            this.lines = lines;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpObject msg) {
            if (msg.decoderResult().isFailure()) {
                done.completeExceptionally(new EscrowException(
                        Status.EPROTO, "not an HTTP response: the process at this socket is not escrowd"));
            }
            if (msg instanceof HttpResponse response) {
                status = response.status();
            }
            if (msg instanceof HttpContent content) {
                while (content.content().isReadable()) {
                    byte next = content.content().readByte();
                    if (next == '\n') {
                        endLine();
                    } else {
                        line.write(next);
                    }
                }
            }
            if (msg instanceof LastHttpContent) {
                end();
            }
        }

        private void endLine() {
            String text = line.toString(UTF_8);
            line.reset();
            if (HttpResponseStatus.OK.equals(status)) {
                lines.accept(text);
            } else {
                error.append(text);
            }
        }

        private void end() {
            if (HttpResponseStatus.OK.equals(status)) {
                done.complete(null);
                return;
            }
            try {
                ErrorView view = Json.read(error.toString(), ErrorView.class);
                done.completeExceptionally(new EscrowException(Status.valueOf(view.status()), view.message()));
            } catch (JsonParseException | IllegalArgumentException | NullPointerException e) {
                done.completeExceptionally(new EscrowException(Status.EPROTO, status + ": " + error, e));
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            done.completeExceptionally(
                    new EscrowException(Status.ECONNRESET, "escrowd closed the connection before it answered"));
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            done.completeExceptionally(cause);
            ctx.close();
        }
    }
}
