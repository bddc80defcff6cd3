package io.escrow.daemon.kernel;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Looks up the numbers of users and groups, including those of this process. */
public final class Accounts {

    private static final int EFFECTIVE = 2;

    private Accounts() {}

    /** Returns the number of a user, given by number or by a name in the user database. */
    public static int user(String user) {
        return isNumber(user)
                ? number(user)
                : number(find("passwd", "user", user).get(2));
    }

    /** Returns the number of a group, given by number or by a name in the group database. */
    public static int group(String group) {
        return isNumber(group)
                ? number(group)
                : number(find("group", "group", group).get(2));
    }

    /**
     * Returns the users that the group database lists as members of a group, without those that have it as their
     * primary group.
     */
    public static List<Integer> members(String group) {
        List<Integer> members = new ArrayList<>();
        List<String> entry = look("group", group);
        if (entry.size() > 3 && !entry.get(3).isEmpty()) {
            for (String member : entry.get(3).split(",", -1)) {
                List<String> account = look("passwd", member);
                if (account.size() > 2) {
                    members.add(number(account.get(2)));
                }
            }
        }
        return members;
    }

    /** Returns the effective user of this process. */
    public static int ownUser() {
        return Own.USER;
    }

    /** Returns the effective group of this process. */
    public static int ownGroup() {
        return Own.GROUP;
    }

    private static boolean isNumber(String text) {
        return text.matches("\\d+");
    }

    private static int number(String text) {
        try {
            return Integer.parseUnsignedInt(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("number of a user or group: " + text + " (expected: 0..4294967295)", e);
        }
    }

    private static List<String> find(String database, String what, String name) {
        List<String> entry = look(database, name);
        if (entry.size() < 3) {
            throw new IllegalArgumentException("no such " + what + ": " + name);
        }
        return entry;
    }

    /** Returns the fields of an entry, as getent(1) prints them; empty if there is no such entry. */
    private static List<String> look(String database, String key) {
        try {
            Process getent = new ProcessBuilder("getent", database, key)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            getent.getOutputStream().close();
            try (BufferedReader out = new BufferedReader(new InputStreamReader(getent.getInputStream(), UTF_8))) {
                String line = out.readLine();
                return line == null ? List.of() : List.of(line.split(":", -1));
            }
        } catch (IOException e) {
            throw new IllegalArgumentException(
                    "\"" + key + "\" can't be looked up; give its number: " + e.getMessage(), e);
        }
    }

    private static final class Own {
        static final int USER = read("Uid:");
        static final int GROUP = read("Gid:");

        private static int read(String name) {
            try {
                for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                    if (line.startsWith(name)) {
                        return number(line.split("\\s+", -1)[EFFECTIVE]);
                    }
                }
                throw new IllegalStateException("no " + name + " in /proc/self/status");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
