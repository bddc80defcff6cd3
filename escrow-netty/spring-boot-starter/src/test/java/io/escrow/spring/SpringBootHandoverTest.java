package io.escrow.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.escrow.handover.HandoverObserver;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.StartReport;
import io.escrow.reactor.EscrowLoopResources;
import io.escrow.testing.Certificates;
import io.escrow.testing.InMemoryEscrow;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.ApplicationRunner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.client.ReactorResourceFactory;

/** Runs with whatever line of Spring Boot is on the class path. */
@ExtendWith(OutputCaptureExtension.class)
class SpringBootHandoverTest {

    @TempDir
    private Path directory;

    private InMemoryEscrow escrow;
    private final List<ConfigurableApplicationContext> open = new ArrayList<>();

    @BeforeEach
    void startEscrow() {
        escrow = InMemoryEscrow.start(socket());
    }

    @AfterEach
    void closeAll() {
        open.forEach(ConfigurableApplicationContext::close);
        escrow.close();
    }

    private Path socket() {
        return directory.resolve("s");
    }

    private ConfigurableApplicationContext start(String version, String... more) {
        return start(version, new Class<?>[0], more);
    }

    private ConfigurableApplicationContext start(String version, Class<?>[] sources, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "--escrow.path=" + socket(),
                "--escrow.create=false",
                "--version=" + version,
                "--server.port=0",
                "--spring.main.banner-mode=off"));
        arguments.addAll(List.of(more));
        ConfigurableApplicationContext context = new SpringApplicationBuilder(TestApplication.class)
                .sources(sources)
                .web(WebApplicationType.REACTIVE)
                .run(arguments.toArray(String[]::new));
        open.add(context);
        return context;
    }

    private static int port(ConfigurableApplicationContext context) {
        return context.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
    }

    private static StartReport startReport(ConfigurableApplicationContext context) {
        return context.getBean(HandoverTransport.class).server().join().startReport();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--escrow.crash-safe=false",
                "--escrow.crash-safe=true",
                "--escrow.waves=20ms",
                "--server.shutdown=graceful",
                "--server.shutdown=immediate"
            })
    void theNextVersionServesTheSameConnections(String option) throws Exception {
        ConfigurableApplicationContext first = start("1", option);
        try (Connection connection = new Connection(port(first))) {
            assertThat(connection.get("/")).isEqualTo("1");
            CompletableFuture<ConfigurableApplicationContext> next =
                    CompletableFuture.supplyAsync(() -> start("2", option));
            connection.send("/slow");
            TestApplication.SLOW_ASKED.acquire();
            first.close();
            assertThat(connection.receive()).isEqualTo("slow 1");
            assertThat(startReport(next.join()).adopted()).isEqualTo(1);
            assertThat(connection.get("/")).isEqualTo("2");
        }
    }

    private Path keys() throws IOException, GeneralSecurityException {
        Path keys = directory.resolve("keys.p12");
        Certificates.write("server", keys);
        return keys;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--server.ssl.bundle=web", "--server.ssl.key-store=%s --server.ssl.key-store-password=password"})
    void tlsConnectionsMoveWithoutAnyCode(String options) throws Exception {
        Path keys = keys();
        List<String> arguments = new ArrayList<>(List.of(
                "--spring.ssl.bundle.jks.web.keystore.location=" + keys,
                "--spring.ssl.bundle.jks.web.keystore.password=password"));
        arguments.addAll(List.of(options.formatted(keys).split(" ")));
        ConfigurableApplicationContext first = start("1", arguments.toArray(String[]::new));
        try (Connection connection = Connection.tls(port(first))) {
            assertThat(connection.get("/")).isEqualTo("1");
            for (int version = 2; version <= 3; version++) {
                open.get(open.size() - 1).close();
                ConfigurableApplicationContext next = start(String.valueOf(version), arguments.toArray(String[]::new));
                assertThat(startReport(next).adopted()).isEqualTo(1);
                assertThat(connection.get("/")).isEqualTo(String.valueOf(version));
            }
        }
    }

    @Test
    void whatIsStoredIsSealedWithTheKeyOfAFile() throws Exception {
        String[] tls = {"--server.ssl.key-store=" + keys(), "--server.ssl.key-store-password=password"};
        Path key = Files.writeString(directory.resolve("seal.key"), "1f".repeat(32));
        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-------"));
        String[] sealed = {tls[0], tls[1], "--escrow.seal-key-file=" + key};
        ConfigurableApplicationContext first = start("1", sealed);
        try (Connection connection = Connection.tls(port(first))) {
            assertThat(connection.get("/")).isEqualTo("1");
            first.close();
            ConfigurableApplicationContext without = start("2", tls);
            assertThat(startReport(without).left()).singleElement().asString().contains("has no seal key");
            without.close();
            assertThat(startReport(start("3", sealed)).adopted()).isEqualTo(1);
            assertThat(connection.get("/")).isEqualTo("3");
        }
    }

    @Test
    void everyBeanStillWorksWhenTheServerIsHandedOver() {
        start("1", new Class<?>[] {Worker.class}).close();
        assertThat(Worker.ranAtHandover).isTrue();
    }

    /** Is stopped before the web server, as executors are that requests need. */
    @Configuration(proxyBeanMethods = false)
    static class Worker implements SmartLifecycle {
        private static boolean ranAtHandover;
        private boolean running;

        @Bean
        static HandoverObserver observer(ObjectProvider<Worker> worker) {
            return new HandoverObserver() {
                @Override
                public void handedOver(HandoverReport report) {
                    ranAtHandover = worker.getObject().isRunning();
                }
            };
        }

        @Override
        public synchronized void start() {
            running = true;
        }

        @Override
        public synchronized void stop() {
            running = false;
        }

        @Override
        public synchronized boolean isRunning() {
            return running;
        }
    }

    @Test
    void aVersionThatDoesNotStartAfterAllLosesNoConnection() throws Exception {
        ConfigurableApplicationContext first = start("1");
        try (Connection connection = new Connection(port(first))) {
            assertThat(connection.get("/")).isEqualTo("1");
            first.close();
            assertThatThrownBy(() -> start("bad", new Class<?>[] {Bad.class})).hasStackTraceContaining("bad version");
            ConfigurableApplicationContext third = start("3");
            assertThat(startReport(third).adopted()).isEqualTo(1);
            assertThat(connection.get("/")).isEqualTo("3");
        }
    }

    /** Fails when the web server runs. */
    @Configuration(proxyBeanMethods = false)
    static class Bad {
        @Bean
        ApplicationRunner failing() {
            return arguments -> {
                throw new IllegalStateException("bad version");
            };
        }
    }

    @Test
    void metersAreThereByThemselves() {
        ConfigurableApplicationContext first = start("1", new Class<?>[] {Meters.class});
        first.close();
        ConfigurableApplicationContext second = start("2", new Class<?>[] {Meters.class});
        MeterRegistry registry = second.getBean(MeterRegistry.class);
        assertThat(startReport(second).adoptedListeners()).containsExactly("http");
        assertThat(registry.get("escrow.queue.wait").timer().count()).isEqualTo(1);
        await().untilAsserted(() ->
                assertThat(registry.get("escrow.connections").gauge().value()).isZero());
    }

    @Test
    void theHealthTellsHowTheServerStandsWithTheEscrow() throws Exception {
        Object indicator = start("1").getBean("escrowHealthIndicator");
        // Its interface is in another package in each line of Spring Boot.
        Class<?> type = indicator.getClass().getInterfaces()[0];
        await().untilAsserted(() -> assertThat(
                        type.getMethod("health").invoke(indicator).toString())
                .contains("UP", "state=serving", "session=held", "connections=0"));
    }

    @Configuration(proxyBeanMethods = false)
    static class Meters {
        @Bean
        MeterRegistry registry() {
            return new SimpleMeterRegistry();
        }
    }

    @Test
    void aServerOutsideOfTheEscrowIsWarnedOf(CapturedOutput output) {
        start("1", new Class<?>[] {OwnResources.class});
        assertThat(output).contains("no web server has asked the escrow for its listener [http]");
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnResources {
        @Bean
        ReactorResourceFactory resources() {
            return new ReactorResourceFactory();
        }
    }

    @Test
    void withoutAPathNothingIsThere() {
        ConfigurableApplicationContext context = new SpringApplicationBuilder(TestApplication.class)
                .web(WebApplicationType.REACTIVE)
                .run("--server.port=0");
        open.add(context);
        assertThat(context.getBeanProvider(HandoverTransport.class).stream()).isEmpty();
        assertThat(context.getBeanProvider(EscrowLoopResources.class).stream()).isEmpty();
    }
}
