/**
 * One connection: bringing it to rest, taking it apart, and putting it together again; the protocols and the immovable
 * handlers that a server knows.
 *
 * <p>Internal: not part of the API. Uses {@code io.escrow.handover.protocol} and {@code io.escrow.handover.store}.
 *
 * <p>The states of a {@link io.escrow.handover.connection.Connection}, which change in one place, on its event loop:
 *
 * <pre>{@literal
 *     accepted                               adopted
 *        |                                      |
 *        v              begin, refuse           v
 *     SERVING <------------------------------ HELD ----+
 *      |   ^  ^                                        |
 *      |   |  |                                        | letGo: not committed,
 * rest |   |  +-- goOn: the handover failed --+        | or not restored
 *      v   | goOn: busy again                 |        v
 *     RESTING ---------------------------> APART ---> GONE
 *                       takeApart                letGo
 *
 *     each but GONE ---> ENDED, when the channel is inactive
 * }</pre>
 *
 * <p>HELD and APART: nothing is read and nothing is sent. RESTING: nothing is read. What happens meanwhile is deferred.
 */
package io.escrow.handover.connection;
