package io.escrow.control;

/**
 * Tells what a slot holds, in a line.
 *
 * @param tag its tag
 * @param index its index
 * @param kind what its descriptor is: {@code tcp-listener}, {@code tcp}, {@code udp}, {@code unix-listener}, {@code
 *     unix}, {@code file}, {@code pipe} and so on; {@code none} without a descriptor
 * @param local the address of a socket, or the name of another open file; {@code null} if there is none
 * @param peer the address of the other end; {@code null} if there is none
 * @param state the state of a connection, as in tcp(7); {@code null} if there is none
 * @param unread how many bytes wait in the kernel to be read, or how many connections to be accepted; {@code null} if the
 *     kernel does not tell
 * @param unsent how many bytes the other end has not acknowledged; {@code null} if the kernel does not tell
 * @param payloadBytes the length of the payload
 * @param farewellBytes the length of the farewell
 * @param ageSeconds how long ago it was filled
 * @param pid the process that filled it; 0 if that was in another container
 * @param uid the user of that process
 * @param listener the name of the listener that a {@code ServerHandover} has stored, or that the connection came from;
 *     {@code null} if it was stored by something else
 * @param origin {@code handed over}, {@code crash-safe}, or {@code rendezvous} for the socket at which two processes meet
 *     while connections move in waves; {@code null} if it was stored by something else
 */
public record SlotView(
        int tag,
        int index,
        String kind,
        String local,
        String peer,
        String state,
        Long unread,
        Long unsent,
        int payloadBytes,
        int farewellBytes,
        double ageSeconds,
        int pid,
        int uid,
        String listener,
        String origin) {}
