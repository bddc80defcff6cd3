/**
 * How two processes meet and talk while connections move from one to the other in waves.
 *
 * <p>Internal: not part of the API. Uses {@code io.escrow.handover.store}, and event loops as {@code
 * io.escrow.handover.connection} does.
 */
package io.escrow.handover.link;
