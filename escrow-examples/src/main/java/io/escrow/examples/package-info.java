/**
 * Servers to read and to copy from, and the command line that runs them.
 *
 * <p>Start with {@code QuickStart}, which keeps one connection. {@code EchoServer} keeps all its connections by itself.
 * {@code HttpServer}, {@code ChatServer} and {@code UdpEcho} leave that to {@link io.escrow.handover.ServerHandover}.
 */
package io.escrow.examples;
