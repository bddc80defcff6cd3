package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.Connection;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpContentCompressor;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HttpHandoverTest {

    private static final int HANDOVERS = 10;

    @TempDir
    Path directory;

    private final ExecutorService clients = Executors.newCachedThreadPool();
    private final AtomicInteger answered = new AtomicInteger();
    private final AtomicBoolean enough = new AtomicBoolean();

    @AfterEach
    void stopClients() {
        enough.set(true);
        clients.shutdownNow();
    }

    private EmbeddedServers servers(boolean crashSafe) throws Exception {
        return new EmbeddedServers(
                directory,
                crashSafe,
                channel -> channel.pipeline()
                        .addLast(new HttpServerCodec(), new HttpServerKeepAliveHandler())
                        .addLast(new HttpContentCompressor(), new HttpObjectAggregator(1_000_000), new Echo()));
    }

    /** Answers with the path and the body; later, if the path begins with /slow. */
    private static final class Echo extends SimpleChannelInboundHandler<FullHttpRequest> {
        private CompletableFuture<Void> last = CompletableFuture.completedFuture(null);

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
            byte[] path = (request.uri() + "\n").getBytes(US_ASCII);
            DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1,
                    HttpResponseStatus.OK,
                    Unpooled.wrappedBuffer(Unpooled.wrappedBuffer(path), Unpooled.copiedBuffer(request.content())));
            HttpUtil.setContentLength(response, response.content().readableBytes());
            CompletableFuture<Void> ready = new CompletableFuture<>();
            last = last.thenCombine(ready, (before, now) -> null).thenRun(() -> ctx.writeAndFlush(response));
            if (request.uri().startsWith("/slow")) {
                ctx.executor().schedule(() -> ready.complete(null), 20, TimeUnit.MILLISECONDS);
            } else {
                ready.complete(null);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void noRequestFails(boolean crashSafe) throws Exception {
        try (EmbeddedServers servers = servers(crashSafe)) {
            HttpClient client =
                    HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            List<Future<Void>> loads = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                Random random = new Random(i);
                loads.add(clients.submit(repeat(() -> request(client, servers, random))));
            }
            for (int i = 0; i < HANDOVERS; i++) {
                awaitAnswers(100);
                servers.next();
            }
            awaitAnswers(100);
            enough.set(true);
            for (Future<Void> load : loads) {
                load.get();
            }
        }
    }

    private void request(HttpClient client, EmbeddedServers servers, Random random) throws Exception {
        byte[] body = new byte[random.nextInt(5) == 0 ? random.nextInt(500_000) : random.nextInt(10)];
        random.nextBytes(body);
        String path = (random.nextInt(3) == 0 ? "/slow" : "/fast") + random.nextInt();
        HttpResponse<byte[]> response = client.send(
                HttpRequest.newBuilder(servers.uri("http", path))
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(),
                BodyHandlers.ofByteArray());
        assertEquals(200, response.statusCode());
        assertArrayEquals(
                Unpooled.wrappedBuffer((path + "\n").getBytes(US_ASCII), body)
                        .copy()
                        .array(),
                response.body());
    }

    private Callable<Void> repeat(Callable<Void> request) {
        return () -> {
            while (!enough.get()) {
                request.call();
                answered.incrementAndGet();
            }
            return null;
        };
    }

    private Callable<Void> repeat(ThrowingRunnable request) {
        return repeat(() -> {
            request.run();
            return null;
        });
    }

    private interface ThrowingRunnable {
        void run() throws Exception;
    }

    private void awaitAnswers(int more) {
        int before = answered.get();
        await().until(() -> answered.get() >= before + more);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void pipelinedRequestsAreAnsweredInTurn(boolean crashSafe) throws Exception {
        try (EmbeddedServers servers = servers(crashSafe);
                Socket socket = new Socket(InetAddress.getLoopbackAddress(), servers.port())) {
            CompletableFuture<Integer> total = new CompletableFuture<>();
            Future<Void> sender = clients.submit(() -> {
                Random random = new Random(3);
                byte[] rest = {};
                int sent = 0;
                // Cuts anywhere, in the last round too: every request is complete at the end only.
                while (!enough.get()) {
                    StringBuilder text = new StringBuilder(new String(rest, US_ASCII));
                    for (int i = 0; i < 20; i++) {
                        text.append(numbered(sent++));
                    }
                    int cut = random.nextInt(text.length());
                    socket.getOutputStream().write(text.substring(0, cut).getBytes(US_ASCII));
                    rest = text.substring(cut).getBytes(US_ASCII);
                    // Netty's codec takes 128 requests that are not answered.
                    int target = sent - 100;
                    await().until(() -> answered.get() > target);
                }
                total.complete(sent);
                socket.getOutputStream().write(rest);
                return null;
            });
            Future<Integer> reader = clients.submit(() -> readNumbered(socket, total));
            for (int i = 0; i < HANDOVERS; i++) {
                awaitAnswers(300);
                servers.next();
            }
            awaitAnswers(300);
            enough.set(true);
            sender.get();
            assertEquals(total.get(), reader.get());
        }
    }

    private static String numbered(int i) {
        return i % 5 == 0
                ? "POST /" + i + " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                : "GET /" + (i % 7 == 0 ? "slow" : "") + i + " HTTP/1.1\r\nHost: h\r\n\r\n";
    }

    /** Reads answers until all that was sent is answered; returns how many they were. */
    private int readNumbered(Socket socket, CompletableFuture<Integer> total) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), US_ASCII));
        int next = 0;
        while (!total.isDone() || next < total.join()) {
            assertEquals("HTTP/1.1 200 OK", in.readLine());
            int length = 0;
            for (String line = in.readLine(); !line.isEmpty(); line = in.readLine()) {
                if (line.startsWith("content-length: ")) {
                    length = Integer.parseInt(line.substring("content-length: ".length()));
                }
            }
            StringBuilder body = new StringBuilder();
            while (body.length() < length) {
                body.append((char) in.read());
            }
            String path = body.toString().split("\n", -1)[0];
            assertEquals(next % 5 != 0 && next % 7 == 0 ? "/slow" + next : "/" + next, path);
            next++;
            answered.incrementAndGet();
        }
        return next;
    }

    @Test
    void aRequestUnderWayFinishesFirst() throws Exception {
        try (EmbeddedServers servers = servers(false);
                Socket socket = new Socket(InetAddress.getLoopbackAddress(), servers.port())) {
            write(socket, "POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello");
            await().until(() -> servers.current().connections() == 1
                    && servers.current().context().connections().all().stream().noneMatch(Connection::isAtRest));
            CompletableFuture<HandoverReport> report = CompletableFuture.supplyAsync(servers::next, clients);
            await().until(() -> !servers.current().listeners().get(0).isRegistered());
            assertFalse(report.isDone());
            // The end of this request, and one and a half that the next process will answer.
            write(socket, "worldGET /b HTTP/1.1\r\n\r\nGET /c HT");
            assertEquals(1, report.get().connections());
            write(socket, "TP/1.1\r\n\r\n");
            BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), US_ASCII));
            for (String body : List.of("/a", "helloworldHTTP/1.1 200 OK", "/b", "/c")) {
                String line = in.readLine();
                while (!line.equals(body)) {
                    assertTrue(line.equals("HTTP/1.1 200 OK") || line.isEmpty() || line.contains(": "), line);
                    line = in.readLine();
                }
            }
        }
    }

    @Test
    void idleConnectionsOutliveACrash() throws Exception {
        try (EmbeddedServers servers = servers(true)) {
            HttpClient client =
                    HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            Random random = new Random(5);
            for (int i = 0; i < 3; i++) {
                request(client, servers, random);
                assertEquals(1, servers.current().connections());
                servers.crash();
                assertEquals(1, servers.current().startReport().foundAfterCrash());
            }
            request(client, servers, random);
            assertEquals(1, servers.current().connections(), "the same connection");
        }
    }

    private static void write(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(US_ASCII));
    }
}
