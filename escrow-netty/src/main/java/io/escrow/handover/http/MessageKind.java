package io.escrow.handover.http;

import io.netty.channel.FileRegion;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.LastHttpContent;

/**
 * Holds the kinds of message that the objects of a class are. It is asked once for each message: testing an object for several
 * interfaces costs more than everything else that is done for it.
 */
record MessageKind(
        Class<?> type, boolean isHttp, boolean isRequest, boolean isResponse, boolean isLast, boolean isFile) {

    /** The kinds of a message of which nothing is known. */
    static final MessageKind UNKNOWN = new MessageKind(Object.class, false, false, false, false, false);

    private static final ClassValue<MessageKind> OF_CLASS = new ClassValue<>() {
        @Override
        protected MessageKind computeValue(Class<?> type) {
            return new MessageKind(
                    type,
                    HttpObject.class.isAssignableFrom(type),
                    HttpRequest.class.isAssignableFrom(type),
                    HttpResponse.class.isAssignableFrom(type),
                    LastHttpContent.class.isAssignableFrom(type),
                    FileRegion.class.isAssignableFrom(type));
        }
    };

    static MessageKind of(Object msg) {
        return OF_CLASS.get(msg.getClass());
    }

    /** Returns whether these are the kinds of a message, too: mostly it has the same class as the one before. */
    boolean isOf(Object msg) {
        return type == msg.getClass();
    }
}
