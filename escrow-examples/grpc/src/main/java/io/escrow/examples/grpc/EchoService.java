package io.escrow.examples.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerServiceDefinition;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * Sends strings back, each with the number of the process in front. Its messages need no protoc: a marshaller makes bytes of
 * them.
 */
final class EchoService {

    private static final Marshaller<String> STRINGS = new StringMarshaller();

    /** One string for one string. */
    static final MethodDescriptor<String, String> ECHO = MethodDescriptor.newBuilder(STRINGS, STRINGS)
            .setType(MethodType.UNARY)
            .setFullMethodName(MethodDescriptor.generateFullMethodName("escrow.Echo", "Echo"))
            .build();

    /** A string for each string of a stream. */
    static final MethodDescriptor<String, String> CHAT = MethodDescriptor.newBuilder(STRINGS, STRINGS)
            .setType(MethodType.BIDI_STREAMING)
            .setFullMethodName(MethodDescriptor.generateFullMethodName("escrow.Echo", "Chat"))
            .build();

    private static final String PROCESS = ProcessHandle.current().pid() + " ";

    private volatile boolean ending;

    /** Returns what a server serves. */
    ServerServiceDefinition definition() {
        return ServerServiceDefinition.builder("escrow.Echo")
                .addMethod(ECHO, ServerCalls.asyncUnaryCall(EchoService::echo))
                .addMethod(CHAT, ServerCalls.asyncBidiStreamingCall(this::chat))
                .build();
    }

    /** Ends each stream from now on behind its next answer. GOAWAY alone would let it go on as long as its client wants. */
    void endStreams() {
        ending = true;
    }

    private static void echo(String text, StreamObserver<String> answers) {
        answers.onNext(PROCESS + text);
        answers.onCompleted();
    }

    private StreamObserver<String> chat(StreamObserver<String> answers) {
        return new StreamObserver<>() {
            private boolean ended;

            @Override
            public void onNext(String text) {
                if (ended) {
                    return;
                }
                answers.onNext(PROCESS + text);
                if (ending) {
                    onCompleted();
                }
            }

            @Override
            public void onError(Throwable failure) {
                // The client has gone.
            }

            @Override
            public void onCompleted() {
                if (!ended) {
                    ended = true;
                    answers.onCompleted();
                }
            }
        };
    }

    private static final class StringMarshaller implements Marshaller<String> {

        @Override
        public InputStream stream(String text) {
            return new ByteArrayInputStream(text.getBytes(UTF_8));
        }

        @Override
        public String parse(InputStream bytes) {
            try {
                return new String(bytes.readAllBytes(), UTF_8);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
