/**
 * Shares the keys of session tickets between a server and its next processes, so that clients resume their sessions there.
 *
 * <p>{@link io.escrow.handover.tls.ticket.TicketKeys} needs nothing but Java; the rest needs {@code netty-handler}.
 */
package io.escrow.handover.tls.ticket;
