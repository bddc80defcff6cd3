package io.escrow.daemon.socket;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.internal.Futures;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Claims the path of the socket for one daemon, and puts the socket there atomically.
 *
 * <p>The claim is a lock on a file next to the socket. The kernel releases the lock when the daemon ends, however it
 * ends.
 */
public final class SocketFile implements AutoCloseable {

    private static final Logger logger = LoggerFactory.getLogger(SocketFile.class);

    private static final String OWNER_ONLY = "rw-------";
    private static final String NOBODY = "?";
    // Bits of st_mode, inode(7).
    private static final int STICKY = 01000;
    private static final int GROUP_WRITES = 020;
    private static final int OTHERS_WRITE = 02;
    private static final long LOCK_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    /**
     * The first byte that the claim does not include. Whoever is about to claim the path locks it: so no other daemon comes
     * between one that releases the claim and its successor.
     */
    private static final long NEXT = 1L << 62;

    private final Path path;
    private FileChannel lockFile;
    private FileLock claim;
    private FileLock next;
    private Object lockKey;
    private long holder;
    private Duration ending = Duration.ZERO;
    private SocketPublication publication;

    private SocketFile(Path path, FileChannel lockFile) {
        this.path = path;
        this.lockFile = lockFile;
        this.lockKey = lockKey(path);
    }

    /**
     * Opens the lock file of a path, and claims nothing.
     *
     * @throws EscrowException if it can't be opened
     */
    public static SocketFile unclaimed(Path path) throws EscrowException {
        return new SocketFile(path, open(path));
    }

    /**
     * Makes this process the one that claims the path next: no other one can, until {@link #releaseNext}.
     *
     * @param patience how long to wait while another process is the next one, because that process may only be starting
     * @throws EscrowException if another process is the next one already
     */
    public void awaitNext(Duration patience) throws EscrowException {
        long start = System.nanoTime();
        while (!tryNext()) {
            if (System.nanoTime() - start > patience.toNanos()) {
                throw new EscrowException(
                        Status.EADDRINUSE, "another escrowd starts for \"" + path + "\", or takes it over: try again");
            }
            LockSupport.parkNanos(LOCK_RETRY_NANOS);
        }
    }

    /**
     * Makes this process the one that claims the path next, if no other one is. Returns whether it is.
     *
     * @throws EscrowException if the kernel can't lock the file, for example because it has no memory for it
     */
    public synchronized boolean tryNext() throws EscrowException {
        if (next == null) {
            next = tryLock(NEXT, 1);
        }
        return next != null;
    }

    /**
     * Claims the path if no other process has the claim. Returns whether this process has it.
     *
     * @throws EscrowException as {@link #tryNext} does
     */
    public synchronized boolean tryClaim() throws EscrowException {
        if (claim == null) {
            claim = tryLock(0, NEXT);
        }
        return claim != null;
    }

    /** Lets another process be the next one. */
    public synchronized void releaseNext() {
        release(next);
        next = null;
    }

    /** Gives up the claim, and nothing else. */
    public synchronized void release() {
        release(claim);
        claim = null;
    }

    private static void release(FileLock lock) {
        try {
            if (lock != null) {
                lock.release();
            }
        } catch (IOException e) {
            throw new IllegalStateException("a lock can't be released", e);
        }
    }

    /** Returns whether the lock file names another process than this one as the one that serves. */
    public synchronized boolean isHolderAnother() {
        return !firstLine(lockFile).equals(Long.toString(ProcessHandle.current().pid()));
    }

    /** Forgets the socket at the path: it belongs to another process now. */
    public synchronized void forget() {
        publication = null;
    }

    /**
     * Goes on with a socket that another daemon has bound.
     *
     * @param isThere whether the socket is at its path
     */
    public synchronized void adopt(boolean isThere) {
        publication = new SocketPublication(path);
        publication.adopt(isThere);
    }

    /** Returns whether this process, or one before it, has put the socket at its path, and not systemd. */
    public synchronized boolean isOwned() {
        return publication != null;
    }

    /**
     * Checks that no other user can replace the socket.
     *
     * @throws EscrowException if others may write to the directory of the path, and the directory lacks the sticky bit
     */
    public static void checkDirectory(Path path, AccessCheck access) throws EscrowException {
        Path directory = path.toAbsolutePath().getParent();
        try {
            int mode = (Integer) Files.getAttribute(directory, "unix:mode");
            int group = (Integer) Files.getAttribute(directory, "unix:gid");
            boolean anybody = (mode & OTHERS_WRITE) != 0;
            boolean strangers = (mode & GROUP_WRITES) != 0 && !access.trustsGroup(group);
            if ((mode & STICKY) == 0 && (anybody || strangers)) {
                throw new EscrowException(
                        Status.EACCES,
                        (anybody ? "all users" : "group " + Integer.toUnsignedString(group)) + " may write to \""
                                + directory + "\" (mode " + Integer.toOctalString(mode & 07777)
                                + ") and could replace the socket: use a directory of your own, or chmod +t");
            }
        } catch (EscrowException e) {
            throw e;
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "\"" + directory + "\" can't be examined: " + e, e);
        }
    }

    /**
     * Claims a path.
     *
     * @param force whether the socket of a dead daemon may be replaced
     * @param patience how long to wait while another daemon has the claim but does not listen, and then while the daemon
     *     that had the claim before listens
     * @throws EscrowException if another daemon serves it, or a socket is there and {@code force} is not set
     */
    public static SocketFile claim(Path path, boolean force, Duration patience) throws EscrowException {
        SocketFile claimed = lock(path, patience, SocketPath::isServed);
        try {
            claimed.begin(force, patience);
            return claimed;
        } catch (EscrowException | RuntimeException e) {
            claimed.close();
            throw e;
        }
    }

    /**
     * Begins with a path that is claimed.
     *
     * @param force whether the socket of a dead daemon may be replaced
     * @param patience how long to wait while the daemon that had the claim before listens
     * @throws EscrowException if a socket is there and {@code force} is not set, or it is not escrowd's
     */
    public void begin(boolean force, Duration patience) throws EscrowException {
        noteEnding(patience);
        if (SocketPublication.isServed(path, ending)) {
            throw new EscrowException(Status.EADDRINUSE, "another process listens on \"" + path + "\"");
        }
        if (!force && Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            throw new EscrowException(
                    Status.EADDRINUSE,
                    "\"" + path + "\" is the socket of a daemon that has ended: --force replaces it");
        }
        holder(0);
    }

    /**
     * Claims the path of a socket that another process has bound. The socket is neither replaced nor removed.
     *
     * @param patience how long to wait while another daemon has the claim, because that daemon may be ending
     * @throws EscrowException if another daemon has the claim
     */
    public static SocketFile claimBound(Path path, Duration patience) throws EscrowException {
        // The socket listens even when no daemon runs.
        SocketFile claimed = lock(path, patience, socket -> false);
        claimed.beginBound(patience);
        return claimed;
    }

    /**
     * Begins with a path that is claimed, and whose socket another process has bound.
     *
     * @param patience how long the daemon that had the claim before may go on listening at its other sockets
     */
    public void beginBound(Duration patience) {
        noteEnding(patience);
        holder(0);
    }

    /** The kernel releases the locks of a process that is killed before it closes its sockets. */
    private void noteEnding(Duration patience) {
        ending = firstLine(lockFile).equals(NOBODY) ? Duration.ZERO : patience;
    }

    /** Returns how long the daemon that had the claim before may go on listening; zero if there was none. */
    public Duration ending() {
        return ending;
    }

    /** Returns what tells the lock file from another one at the same path; {@code null} if there is none. */
    private static Object lockKey(Path path) {
        try {
            return Files.readAttributes(SocketPath.lockFile(path), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                    .fileKey();
        } catch (IOException e) {
            return null;
        }
    }

    private static SocketFile lock(Path path, Duration patience, Predicate<Path> isServed) throws EscrowException {
        FileChannel channel = open(path);
        SocketFile claimed = new SocketFile(path, channel);
        try {
            if (claimed.awaitClaim(patience, isServed)) {
                return claimed;
            }
        } catch (EscrowException e) {
            closeQuietly(channel);
            throw e;
        }
        String owner = firstLine(channel);
        closeQuietly(channel);
        throw new EscrowException(Status.EADDRINUSE, "escrowd (process " + owner + ") already serves \"" + path + "\"");
    }

    private static FileChannel open(Path path) throws EscrowException {
        Path name = SocketPath.lockFile(path);
        try {
            return FileChannel.open(
                    name,
                    Set.of(
                            StandardOpenOption.CREATE,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE,
                            LinkOption.NOFOLLOW_LINKS),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(OWNER_ONLY)));
        } catch (AccessDeniedException e) {
            throw new EscrowException(Status.EACCES, "no permission to create \"" + name + "\"", e);
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "\"" + name + "\" can't be locked: " + e, e);
        }
    }

    /** Waits for the lock while no process listens: then its owner is starting, and may still fail, or is ending. */
    private boolean awaitClaim(Duration patience, Predicate<Path> isServed) throws EscrowException {
        long start = System.nanoTime();
        while (!claimNext()) {
            if (isServed.test(path) || System.nanoTime() - start > patience.toNanos()) {
                return false;
            }
            LockSupport.parkNanos(LOCK_RETRY_NANOS);
        }
        return true;
    }

    /** Claims the path unless another process has it, or is the next one. */
    private synchronized boolean claimNext() throws EscrowException {
        boolean claimed = tryNext() && tryClaim();
        releaseNext();
        return claimed;
    }

    /** Returns the lock on some bytes of the lock file; {@code null} if another process has a lock on any of them. */
    private FileLock tryLock(long from, long length) throws EscrowException {
        try {
            return lockFile.tryLock(from, length, false);
        } catch (OverlappingFileLockException e) {
            return null; // Another daemon in this process.
        } catch (IOException e) {
            throw new EscrowException(
                    Futures.statusOf(e), "\"" + SocketPath.lockFile(path) + "\" can't be locked: " + e, e);
        }
    }

    private static String firstLine(FileChannel channel) {
        ByteBuffer bytes = ByteBuffer.allocate(32);
        try {
            channel.read(bytes, 0);
        } catch (IOException e) {
            return NOBODY;
        }
        return UTF_8.decode(bytes.flip()).toString().lines().findFirst().orElse(NOBODY);
    }

    /** Returns whether other daemons see the claim, and clients find the socket, if this process has bound it. */
    public synchronized boolean isPublished() {
        return lockKey != null && lockKey.equals(lockKey(path)) && (publication == null || publication.isPublished());
    }

    /**
     * Claims the path again if the lock file has gone, and prepares to publish another socket if the one before has
     * gone.
     *
     * @return whether the socket has gone; then {@link #bindAddress} and {@link #publish} follow
     * @throws EscrowException if another daemon has claimed the path meanwhile, or something of another process is there
     */
    public synchronized boolean claimAgain(AccessCheck access) throws EscrowException {
        if (lockKey == null || !lockKey.equals(lockKey(path))) {
            FileChannel lost = lockFile;
            SocketFile again = lock(path, Duration.ZERO, socket -> true);
            lockFile = again.lockFile;
            claim = again.claim;
            lockKey = again.lockKey;
            closeQuietly(lost);
            holder(holder);
            permitLockFile(access);
        }
        if (publication == null || publication.isPublished()) {
            return false;
        }
        SocketPublication.checkFree(path, Duration.ZERO);
        closeQuietly(publication);
        return true;
    }

    private static void closeQuietly(AutoCloseable closed) {
        try {
            closed.close();
        } catch (Exception e) {
            // What it named is not there any more.
            logger.atDebug().setCause(e).log("the deleted socket's files can't be closed");
        }
    }

    /**
     * Returns the address to bind the socket to; see {@link SocketPublication#bindAddress}.
     *
     * @throws EscrowException if no directory can be made next to the path
     */
    public synchronized String bindAddress() throws EscrowException {
        publication = new SocketPublication(path);
        return publication.bindAddress();
    }

    /** Lets clients read the lock file, and moves the socket, which already listens, to its path. */
    public synchronized void publish(AccessCheck access) throws EscrowException {
        permitLockFile(access);
        if (publication != null) {
            publication.publish(access.access());
        }
    }

    private void permitLockFile(AccessCheck access) throws EscrowException {
        try {
            // Not by its name, which may be a link by now. And not opened again, because closing it would release the
            // lock.
            SocketPublication.permit(
                    Path.of(SocketPublication.descriptorPath(
                            SocketPath.lockFile(path).toRealPath())),
                    access.lockFileMode(),
                    access.access());
        } catch (IOException e) {
            throw new EscrowException(
                    Futures.statusOf(e),
                    "\"" + SocketPath.lockFile(path) + "\" can't be made readable for clients: " + e,
                    e);
        }
    }

    /** Notes the process whose session is open, for the clients that wait; 0 for none. */
    public synchronized void holder(long pid) {
        holder = pid;
        try {
            byte[] lines = (ProcessHandle.current().pid() + "\n" + pid + "\n").getBytes(UTF_8);
            lockFile.write(ByteBuffer.wrap(lines), 0);
            lockFile.truncate(lines.length);
        } catch (IOException e) {
            // The session goes on without the note.
            logger.atWarn().addKeyValue("path", path).setCause(e).log("session not noted in the lock file");
        }
    }

    /** Removes the socket if it is still this one, and releases the claim. The lock file stays. */
    @Override
    public synchronized void close() {
        FileChannel locked = lockFile;
        try (locked) {
            if (publication != null) {
                publication.close();
            }
        } catch (IOException e) {
            // The next daemon replaces the file, with --force.
        }
    }
}
