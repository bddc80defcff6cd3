package io.escrow.daemon.main;

import io.escrow.EscrowException;
import io.escrow.daemon.config.Access;
import io.escrow.daemon.kernel.Accounts;
import io.escrow.daemon.socket.InheritedListener;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/** The options that give access to users and groups. */
final class AccessOptions {

    @Option(
            names = "--mode",
            paramLabel = "MODE",
            converter = Octal.class,
            description =
                    "permissions of the socket, octal; default: 0600, or SocketMode= of the socket that systemd has"
                            + " bound")
    private Integer mode;

    @Option(
            names = "--allow-user",
            paramLabel = "USER",
            description =
                    "let this user in, too, by name or number; may be repeated; default: the daemon's own user and"
                            + " root")
    private List<String> users = List.of();

    @Option(
            names = "--allow-group",
            paramLabel = "GROUP",
            description = "let in processes with this effective group, too, and the users that are its members when the"
                    + " daemon starts; by name or number; may be repeated")
    private List<String> groups = List.of();

    /** Looks up the users and groups; throws an {@link IllegalArgumentException} that names an unknown one. */
    Access access() {
        Set<Integer> allowedUsers = new HashSet<>();
        users.forEach(user -> allowedUsers.add(Accounts.user(user)));
        groups.forEach(group -> allowedUsers.addAll(Accounts.members(group)));
        return new Access(
                mode == null ? Access.OWNER_ONLY.mode() : mode,
                allowedUsers,
                groups.stream().map(Accounts::group).collect(Collectors.toSet()));
    }

    /** Checks that a socket which another process has bound has the mode of {@code --mode}, if that is given. */
    void checkMode(Path socket) throws EscrowException {
        if (mode != null) {
            InheritedListener.checkMode(socket, mode);
        }
    }

    /** Parses a mode as chmod(1) does. */
    private static final class Octal implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            try {
                return Integer.parseInt(text, 8);
            } catch (NumberFormatException e) {
                throw new CommandLine.TypeConversionException("'" + text + "' is not an octal number");
            }
        }
    }
}
