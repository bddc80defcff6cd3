package io.escrow.daemon;

import java.util.List;

/**
 * One packet as it should be on the wire.
 *
 * @param fromClient whether the client sends it
 * @param files the files whose descriptors it brings, by their index in {@link TestFiles}
 * @param frames its frames
 */
record Message(boolean fromClient, List<Integer> files, List<byte[]> frames) {

    byte[] joined() {
        return RawClient.join(frames.toArray(byte[][]::new));
    }

    byte[] prelude() {
        return RawClient.prelude(joined().length, files.size());
    }
}
