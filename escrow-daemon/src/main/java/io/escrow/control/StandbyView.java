package io.escrow.control;

/**
 * The status of the process that serves when the daemon ends.
 *
 * @param wanted whether one was asked for with {@code --standby}
 * @param pid its number, 0 if it is in another container; {@code null} if there is none
 * @param version its version; {@code null} if there is none
 * @param inStep whether it has everything that clients were told is done
 * @param changesBehind how many changes it has not acknowledged
 * @param bytesBehind the size of these changes
 * @param seconds for how long it has been in step; if it is not, for how long there has been none in step
 */
public record StandbyView(
        boolean wanted,
        Integer pid,
        String version,
        boolean inStep,
        int changesBehind,
        long bytesBehind,
        double seconds) {}
