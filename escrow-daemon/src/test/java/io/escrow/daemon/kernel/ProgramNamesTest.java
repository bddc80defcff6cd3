package io.escrow.daemon.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProgramNamesTest {

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            /usr/sbin/nginx -c secret                               | nginx
            sleep 5                                                 | sleep
            /opt/jdk/bin/java -Xmx1g -jar /srv/chat.jar --key=x     | chat.jar
            java -cp /a.jar:/b.jar -Dkey=secret com.acme.Main 5     | com.acme.Main
            java --class-path a --add-opens java.base/x=y Main      | Main
            java --class-path=a @options Main                       | Main
            java -p mods -m com.acme/com.acme.Main arg              | com.acme.Main
            java --module com.acme                                  | com.acme
            java Main.java                                          | Main.java
            java -Xmx1g                                             | java
            java -jar                                               | java
            """)
    void namesProgramWithoutItsArguments(String commandLine, String name) {
        assertEquals(name, ProgramNames.name(List.of(commandLine.split(" ", -1))));
    }

    @Test
    void namesNothingThatSteersTerminal() {
        assertEquals("x?[2J??y", ProgramNames.name(List.of("/bin/x\u001b[2J\n\u009by")));
    }

    @Test
    void cutsLongNames() {
        assertEquals("x".repeat(100), ProgramNames.name(List.of("x".repeat(101))));
    }

    @Test
    void knowsNoNameOfProcessThatIsNotThere() {
        assertEquals("", ProgramNames.name(0));
    }

    @Test
    void asksTheKernel() {
        String name = ProgramNames.name((int) ProcessHandle.current().pid());

        // How the tests are started is up to Maven.
        assertEquals(name, ProgramNames.name(name.isEmpty() ? List.of("not seen") : List.of("java", name)));
    }
}
