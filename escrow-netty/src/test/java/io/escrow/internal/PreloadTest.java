package io.escrow.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PreloadTest {

    /** Needs another class when it is called, and a third one for that one's lambda. */
    public static final class Caller implements Callable<String> {
        @Override
        public String call() {
            return new Helper("called").text();
        }
    }

    record Helper(String value) {
        String text() {
            return List.of(this).stream()
                    .map(helper -> new Inner().of(helper))
                    .toList()
                    .get(0);
        }

        private static final class Inner {
            String of(Helper helper) {
                return helper.toString();
            }
        }
    }

    private static final List<Class<?>> PACKED =
            List.of(PreloadTest.class, Caller.class, Helper.class, Helper.Inner.class);

    @TempDir
    private Path directory;

    private URLClassLoader loader;

    @Test
    void aClassThatWasNotLoadedIsGoneWithItsJar() throws Exception {
        try (URLClassLoader loader = overwrittenAfter(() -> {})) {
            assertThrows(NoClassDefFoundError.class, caller(loader)::call);
        }
    }

    @Test
    void whatIsLoadedOutlivesItsJar() throws Exception {
        Preload preload = new Preload();
        try (URLClassLoader loader =
                overwrittenAfter(() -> preload.packageOf(caller(this.loader).getClass()))) {
            assertEquals("Helper[value=called]", caller(loader).call());
            assertEquals(PACKED.size(), preload.loaded());
        }
    }

    @Test
    void whatIsInitializedOutlivesItsJar() throws Exception {
        Preload preload = new Preload();
        try (URLClassLoader loader =
                overwrittenAfter(() -> preload.initialize(caller(this.loader).getClass(), "io.escrow"))) {
            assertEquals("Helper[value=called]", caller(loader).call());
            // The test itself can't be initialized: JUnit is not there.
            assertTrue(preload.loaded() >= PACKED.size() - 1, () -> preload.loaded() + " classes");
        }
    }

    @Test
    void loadsFromADirectory() {
        assertTrue(new Preload().packageOf(Preload.class).loaded() > 0);
        assertEquals(0, new Preload().packagesBelow(Preload.class, "no.such").loaded());
        assertEquals(0, new Preload().packageOf(String.class).loaded(), "the classes of Java itself are in no jar");
    }

    @Test
    void loadsWhatAServerNeeds() {
        assertTrue(new Preload().netty().loaded() > 500);
        assertTrue(new Preload().client().loaded() > 30);
        assertTrue(new Preload().logging().loaded() > 30);
    }

    private interface Step {
        void run() throws Exception;
    }

    private URLClassLoader overwrittenAfter(Step preload) throws Exception {
        Path jar = directory.resolve("packed.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            for (Class<?> each : PACKED) {
                String file = each.getName().replace('.', '/') + ".class";
                out.putNextEntry(new JarEntry(file));
                try (InputStream in = each.getResourceAsStream("/" + file)) {
                    in.transferTo(out);
                }
            }
        }
        loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader());
        caller(loader);
        preload.run();
        overwrite(jar);
        return loader;
    }

    private static void overwrite(Path jar) throws IOException {
        Files.writeString(jar, "another version ".repeat((int) Files.size(jar) / 8), UTF_8);
    }

    @SuppressWarnings("unchecked")
    private static Callable<String> caller(ClassLoader loader) throws ReflectiveOperationException {
        return (Callable<String>)
                loader.loadClass(Caller.class.getName()).getConstructor().newInstance();
    }
}
