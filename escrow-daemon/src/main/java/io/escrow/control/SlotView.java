package io.escrow.control;

/**
 * A slot in brief.
 *
 * @param tag the tag of the slot
 * @param index the index of the slot
 * @param kind the kind of its descriptor: {@code tcp-listener}, {@code tcp}, {@code udp}, {@code unix-listener}, {@code
 *     unix}, {@code file}, {@code pipe} and so on; {@code none} without a descriptor
 * @param local the address of a socket, or the name of another open file; {@code null} if there is none
 * @param peer the address of the peer; {@code null} if there is none
 * @param state the state of a connection, as in tcp(7); {@code null} if there is none
 * @param unread how many bytes wait in the kernel to be read, or how many connections wait to be accepted; {@code null}
 *     if unknown
 * @param unsent how many bytes the peer has not acknowledged; {@code null} if unknown
 * @param payloadBytes the length of the payload
 * @param farewellBytes the length of the farewell
 * @param ageSeconds how long ago the slot was filled
 * @param pid the process that filled the slot; 0 if that process was in another container
 * @param uid the user of that process
 * @param listener the name of the listener that a {@code ServerHandover} stored, or that accepted the connection;
 *     {@code null} if another program stored the slot
 * @param origin {@code handed over}, {@code crash-safe}, {@code rendezvous} for the socket that connects two processes
 *     while connections move in waves, {@code marks} for the file in which a crash-safe server marks connections, or
 *     {@code later version} if this version can't read what a later one stored;
 *     {@code null} if another program stored the slot
 * @param filling the number of the filling: the slot has another one when it is filled again
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
        String origin,
        long filling) {}
