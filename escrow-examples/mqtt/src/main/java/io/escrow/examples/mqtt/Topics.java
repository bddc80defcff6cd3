package io.escrow.examples.mqtt;

/** Compares topics with topic filters. */
final class Topics {

    private Topics() {}

    static boolean matches(String filter, String topic) {
        if (filter.equals(topic)) {
            return true;
        }
        if (filter.indexOf('#') < 0 && filter.indexOf('+') < 0) {
            return false;
        }
        String[] wanted = filter.split("/", -1);
        String[] levels = topic.split("/", -1);
        if (topic.startsWith("$") && !wanted[0].equals(levels[0])) {
            return false;
        }
        for (int i = 0; i < wanted.length; i++) {
            if (wanted[i].equals("#")) {
                return true;
            }
            if (i >= levels.length || !(wanted[i].equals("+") || wanted[i].equals(levels[i]))) {
                return false;
            }
        }
        return wanted.length == levels.length;
    }
}
