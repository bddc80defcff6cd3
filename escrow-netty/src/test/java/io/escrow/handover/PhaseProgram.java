package io.escrow.handover;

/** Goes through a phase, and tells whether there is a flight recorder that could be told of it. */
final class PhaseProgram {

    private PhaseProgram() {}

    public static void main(String[] args) {
        Phase.RESTING.begin().end(1);
        System.out.println(
                "flight recorder: " + ModuleLayer.boot().findModule("jdk.jfr").isPresent());
    }
}
