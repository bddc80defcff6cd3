package io.escrow.docs;

import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslContext;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;

/**
 * The names that snippets use and do not declare: what the reader of the documentation has already. A snippet of
 * statements is compiled as the method {@link #run} of a class that extends this one.
 */
public abstract class SnippetNames {

    /** Answers later, on a thread of its own. */
    public interface Database {
        CompletionStage<Object> find(Object request);
    }

    /** Use a server. */
    public interface Peers {
        void use(ServerHandover server) throws Exception;
    }

    public EscrowClientBuilder escrow;
    public String path;
    public ServerBootstrap serverBootstrap;
    public InetSocketAddress address;
    public SslContext sslContext;
    public ChannelHandlerContext ctx;
    public Object request;
    public Object answer;
    public ScheduledExecutorService scheduler;
    public Database database;
    /** Is called by a snippet that starts a server: before it hands the server over, or at its end. */
    public Peers whileServing;

    /** Is the code of the snippet. */
    public abstract void run() throws Exception;

    protected static Object encode(Object answer, Throwable failure) {
        return failure == null ? answer : failure;
    }
}
