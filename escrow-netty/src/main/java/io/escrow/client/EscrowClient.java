package io.escrow.client;

import static java.util.Objects.requireNonNull;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.TagInfo;
import io.escrow.codec.Frame;
import io.escrow.internal.Futures;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.unix.FileDescriptor;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Stores descriptors and payloads in an escrow daemon and takes them back, without blocking.
 *
 * <p>All methods may be called by any thread. Requests are carried out, and answered, in the order in which they were
 * made; requests that are made while a packet is under way go into the next one. Futures complete on the event loop of
 * the connection, so callbacks must not block it.
 *
 * <p>A future fails with an {@link EscrowException}, in callbacks as in the cause of what {@code get()} throws. When the
 * connection ends, requests that are not answered fail with an {@link io.escrow.EscrowConnectionException}, which says
 * whether the request may have been carried out. When a callback that was given to a bulk request throws, the future fails
 * with {@link io.escrow.Status#EIO} and that exception as its cause.
 *
 * <p>A client may connect again by itself ({@link EscrowClientBuilder#reconnect}). Then only the requests that were sent
 * fail, and the others wait for the next session.
 *
 * <p>Cancelling a future ends the interest in the answer. A request that was not sent yet is never sent. One that was sent
 * is carried out, its answer is dropped, and a descriptor in the answer is closed. A bulk request sends no more of its
 * requests. Other requests and the session go on.
 *
 * <p>While a client is open, it has the daemon's only session, and all other clients wait. PROTOCOL.md has the rules and
 * the limits.
 */
public final class EscrowClient implements AutoCloseable {

    private final ClientSession session;

    EscrowClient(ClientSession session) {
        this.session = session;
    }

    /** Makes a client with its first session. */
    static EscrowClient of(ConnectOptions options, Connection first, EventLoopGroup ownGroup) {
        return new EscrowClient(new ClientSession(options, first, ownGroup));
    }

    /**
     * Begins the description of a connection.
     *
     * @return a builder with the defaults
     */
    public static EscrowClientBuilder builder() {
        return new EscrowClientBuilder();
    }

    /**
     * Puts a descriptor and a payload into a slot. Replaces what the slot held before.
     *
     * @param tag the tag, 0 to {@link #tags()} minus one
     * @param index the index, 0 to 2^31-1
     * @param descriptor the descriptor to store a duplicate of; still belongs to the caller, which keeps it open until
     *     the future is done
     * @param payload the payload, at most {@link #maxPayload()} bytes, possibly empty; not copied
     * @return a future that is done when the slot is filled. Fails with {@link io.escrow.Status#EOPNOTSUPP} if the
     *     daemon can't receive the descriptor without changing the flags of its open file
     */
    public CompletableFuture<Void> add(int tag, int index, FileDescriptor descriptor, byte[] payload) {
        return submit(Conversions.addFrame(new Deposit(tag, index, requireNonNull(descriptor, "descriptor"), payload)));
    }

    /**
     * Puts a payload without a descriptor into a slot. Replaces what the slot held before.
     *
     * @param tag the tag, 0 to {@link #tags()} minus one
     * @param index the index, 0 to 2^31-1
     * @param payload the payload, at most {@link #maxPayload()} bytes, possibly empty; not copied
     * @return a future that is done when the slot is filled
     */
    public CompletableFuture<Void> add(int tag, int index, byte[] payload) {
        return submit(Conversions.addFrame(new Deposit(tag, index, null, payload)));
    }

    /**
     * Puts a descriptor, a payload and a farewell into a slot. Replaces what the slot held before.
     *
     * @param deposit the slot and its content; the farewell has at most {@link #maxFarewell()} bytes
     * @return a future that is done when the slot is filled
     */
    public CompletableFuture<Void> add(Deposit deposit) {
        return submit(Conversions.addFrame(deposit));
    }

    /**
     * Fills a slot as {@link #add(Deposit)} does, and calls back when the request is sent. From then on the daemon
     * carries the request out even if this process dies, and the descriptor may be closed.
     *
     * @param deposit the slot and its content
     * @param onSent called on the event loop when the packet is in the daemon's socket; not called if the packet is
     *     never sent
     * @return a future that is done when the slot is filled
     */
    public CompletableFuture<Void> add(Deposit deposit, Runnable onSent) {
        return submit(Conversions.addFrame(deposit), onSent);
    }

    /**
     * Replaces the payload of a filled slot. Its descriptor and its farewell stay as they are.
     *
     * @param tag the tag
     * @param index the index
     * @param payload the new payload, at most {@link #maxPayload()} bytes, possibly empty; not copied
     * @return a future that is done when the payload is replaced. Fails with {@link io.escrow.Status#ENOENT} if the
     *     slot is empty
     */
    public CompletableFuture<Void> update(int tag, int index, byte[] payload) {
        return submit(new Frame.Update(tag, index, requireNonNull(payload, "payload")));
    }

    /**
     * Replaces the payload and the farewell of a filled slot. Its descriptor stays as it is.
     *
     * @param tag the tag
     * @param index the index
     * @param payload the new payload, at most {@link #maxPayload()} bytes, possibly empty; not copied
     * @param farewell the new farewell, at most {@link #maxFarewell()} bytes, possibly empty; not copied
     * @return a future that is done when both are replaced. Fails with {@link io.escrow.Status#ENOENT} if the slot is
     *     empty
     */
    public CompletableFuture<Void> update(int tag, int index, byte[] payload, byte[] farewell) {
        return submit(
                new Frame.Update(tag, index, requireNonNull(payload, "payload"), requireNonNull(farewell, "farewell")));
    }

    /**
     * Replaces the payload and the farewell of a filled slot as {@link #update(int, int, byte[], byte[])} does, and calls back when the
     * request is sent. From then on the daemon carries it out even if this process dies.
     *
     * @param tag the tag
     * @param index the index
     * @param payload the new payload, at most {@link #maxPayload()} bytes, possibly empty; not copied
     * @param farewell the new farewell, at most {@link #maxFarewell()} bytes, possibly empty; not copied; {@code null} if it stays
     * @param onSent called on the event loop when the packet is in the daemon's socket; not called if the packet is never sent
     * @return a future that is done when both are replaced. Fails with {@link io.escrow.Status#ENOENT} if the slot is empty
     */
    public CompletableFuture<Void> update(int tag, int index, byte[] payload, byte[] farewell, Runnable onSent) {
        requireNonNull(payload, "payload");
        return submit(
                farewell == null
                        ? new Frame.Update(tag, index, payload)
                        : new Frame.Update(tag, index, payload, farewell),
                onSent);
    }

    /**
     * Fetches the payload of a slot and a duplicate of its descriptor. The slot stays as it is.
     *
     * @param tag the tag
     * @param index the index
     * @return a future of the entry, which the caller closes; if the future was cancelled or has timed out, the client
     *     closes it. Fails with {@link io.escrow.Status#ENOENT} if the slot is empty, and with {@link
     *     io.escrow.Status#EOPNOTSUPP} if this process can't receive the descriptor without changing the flags of its
     *     open file
     */
    public CompletableFuture<Entry> get(int tag, int index) {
        return submit(new Frame.Get(tag, index), Conversions::entry, Entry::close);
    }

    /**
     * Empties a slot, and closes the duplicate of the descriptor in it.
     *
     * @param tag the tag
     * @param index the index
     * @return a future that is done when the slot is empty. Fails with {@link io.escrow.Status#ENOENT} if it was empty
     */
    public CompletableFuture<Void> delete(int tag, int index) {
        return submit(new Frame.Delete(tag, index));
    }

    /**
     * Empties a slot as {@link #delete(int, int)} does, and calls back when the request is sent. From then on the daemon carries it out even
     * if this process dies.
     *
     * @param tag the tag
     * @param index the index
     * @param onSent called on the event loop when the packet is in the daemon's socket; not called if the packet is never sent
     * @return a future that is done when the slot is empty. Fails with {@link io.escrow.Status#ENOENT} if it was empty
     */
    public CompletableFuture<Void> delete(int tag, int index, Runnable onSent) {
        return submit(new Frame.Delete(tag, index), onSent);
    }

    /**
     * Empties a slot as {@link #delete(int, int)} does, for those who don't wait for it: the request goes with the next packet that
     * another one causes, or is sent after {@link EscrowClientBuilder#deleteDelay}. This saves packets. Requests stay in order.
     *
     * @param tag the tag
     * @param index the index
     * @return a future that is done when the slot is empty. Fails with {@link io.escrow.Status#ENOENT} if it was empty
     */
    public CompletableFuture<Void> deleteSoon(int tag, int index) {
        SingleRequest<Void> request =
                new SingleRequest<>(new Frame.Delete(tag, index), answer -> null, nothing -> {}, null);
        session.queue().submitSoon(request);
        return request.future();
    }

    /**
     * Sums up a tag.
     *
     * @param tag the tag
     * @return a future of the number of used slots, the highest index and the payload bytes
     */
    public CompletableFuture<TagInfo> tag(int tag) {
        return submit(new Frame.Tag(tag), Conversions::tagInfo, result -> {});
    }

    /**
     * Lists the used slots of a tag. The daemon looks which peers have gone.
     *
     * @param tag the tag
     * @return a future of the slots, by ascending index
     */
    public CompletableFuture<List<SlotInfo>> list(int tag) {
        return Listing.begin(session, tag, true);
    }

    /**
     * Stores many slots.
     *
     * @param deposits the slots to store; the next one is taken, on the event loop, when a packet has room for it
     * @return a future of the result; done when all requests are answered
     */
    public CompletableFuture<BulkResult> addAll(Iterator<Deposit> deposits) {
        return submit(new BulkRequest<>(deposits, Deposit::key, Conversions::addFrame, EscrowClient::ignore));
    }

    /**
     * Fetches many slots. The slots stay as they are.
     *
     * @param slots the slots; the next one is taken, on the event loop, when a packet has room for it
     * @param sink receives each entry and owns it; called on the event loop, in the order of the slots
     * @return a future of the result; done when all requests are answered
     */
    public CompletableFuture<BulkResult> getAll(Iterator<SlotKey> slots, Consumer<Entry> sink) {
        return submit(new BulkRequest<>(
                slots, k -> k, k -> new Frame.Get(k.tag(), k.index()), answer -> Conversions.give(answer, sink)));
    }

    /**
     * Fetches all used slots of a tag. The slots stay as they are.
     *
     * @param tag the tag
     * @param sink receives each entry and owns it; called on the event loop, by ascending index
     * @return a future of the result; done when all requests are answered
     */
    public CompletableFuture<BulkResult> getAll(int tag, Consumer<Entry> sink) {
        return Futures.then(
                Listing.begin(session, tag, false),
                slots -> getAll(slots.stream().map(SlotInfo::key).iterator(), sink));
    }

    /**
     * Empties many slots.
     *
     * @param slots the slots; the next one is taken, on the event loop, when a packet has room for it
     * @return a future of the result; done when all requests are answered
     */
    public CompletableFuture<BulkResult> deleteAll(Iterator<SlotKey> slots) {
        return submit(
                new BulkRequest<>(slots, k -> k, k -> new Frame.Delete(k.tag(), k.index()), EscrowClient::ignore));
    }

    /**
     * Returns the number of tags of the daemon.
     *
     * @return the number, 1 to 65,536
     */
    public int tags() {
        return limits().tags();
    }

    /**
     * Returns the limit of payloads.
     *
     * @return the limit in bytes
     */
    public int maxPayload() {
        return limits().payload();
    }

    /**
     * Returns the limit of farewells.
     *
     * @return the limit in bytes; 0 if the daemon keeps none
     */
    public int maxFarewell() {
        return limits().farewell();
    }

    /**
     * Returns how long this client waited for its turn, the last time that it had to.
     *
     * @return the time in the daemon's queue, from the connection to the answer to the greeting
     */
    public Duration queued() {
        return session.connection().queued();
    }

    /**
     * Returns the event loop on which futures complete.
     *
     * @return the event loop
     */
    public EventLoop eventLoop() {
        return session.queue().loop();
    }

    /**
     * Returns a blocking view of this client.
     *
     * @param timeout how long each call may take
     * @return the view; closing it closes this client
     */
    public BlockingEscrow toBlocking(Duration timeout) {
        return new BlockingEscrow(this, timeout);
    }

    /**
     * Returns a stage that completes when the session ends, for whatever reason, and none is made again. It never fails, and
     * users can't cancel it.
     *
     * @return a stage that completes when the client has ended
     */
    public CompletionStage<Void> closed() {
        return session.closed().minimalCompletionStage();
    }

    /**
     * Ends the session, so that the daemon serves the next client. Does not wait: {@link #closed()} completes when the
     * session has ended. Futures that are not done fail. Stored slots stay stored.
     */
    @Override
    public void close() {
        session.close();
    }

    private Limits limits() {
        return session.connection().daemon().limits();
    }

    private static void ignore(Frame answer) {}

    private CompletableFuture<Void> submit(Frame frame) {
        return submit(frame, answer -> null, result -> {});
    }

    private CompletableFuture<Void> submit(Frame frame, Runnable onSent) {
        return submit(new SingleRequest<>(frame, answer -> null, result -> {}, requireNonNull(onSent, "onSent")));
    }

    private <T> CompletableFuture<T> submit(Frame frame, Function<Frame, T> convert, Consumer<T> discard) {
        return submit(new SingleRequest<>(frame, convert, discard, null));
    }

    private <T> CompletableFuture<T> submit(SingleRequest<T> request) {
        session.queue().submit(request);
        return request.future();
    }

    private CompletableFuture<BulkResult> submit(BulkRequest<?> request) {
        session.queue().submit(request);
        return request.future();
    }
}
