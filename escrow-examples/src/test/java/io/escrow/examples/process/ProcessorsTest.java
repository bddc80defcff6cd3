package io.escrow.examples.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class ProcessorsTest {

    @Test
    void listsOfTheKernelAreRead() {
        assertEquals(List.of(0), Processors.parse("0"));
        assertEquals(List.of(0, 1, 2, 5, 8, 9), Processors.parse("0-2,5,8-9"));
    }

    @Test
    void aQuarterIsForTheClients() {
        Processors four = Processors.divide(List.of(0, 1, 4, 5), true);
        assertEquals(List.of(5), four.clients());
        assertEquals(List.of(0, 1, 4), four.servers());
        assertEquals(List.of("/usr/bin/taskset", "-c", "0,1,4"), four.prefix());
        assertEquals("clients on processor 5, servers and escrowd on 0,1,4", four.description());
        assertEquals(
                List.of(6, 7), Processors.divide(Processors.parse("0-7"), true).clients());
        assertEquals(
                List.of(2), Processors.divide(Processors.parse("0-2"), true).clients());
    }

    @Test
    void fewAreShared() {
        for (Processors shared :
                List.of(Processors.divide(List.of(0, 1), true), Processors.divide(Processors.parse("0-7"), false))) {
            assertEquals(List.of(), shared.clients());
            assertEquals(List.of(), shared.prefix());
            assertTrue(shared.description().startsWith("clients and servers share all processors: "));
        }
    }
}
