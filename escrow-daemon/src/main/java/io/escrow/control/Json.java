package io.escrow.control;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.ToNumberPolicy;

/** Writes and reads the records of this package. */
public final class Json {

    private static final Gson GSON = new GsonBuilder()
            .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
            .setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE)
            .disableHtmlEscaping()
            .create();

    private Json() {}

    /**
     * Writes a record.
     *
     * @param view the record
     * @return one line of JSON, without its end
     */
    public static String write(Object view) {
        return GSON.toJson(view);
    }

    /**
     * Reads a record.
     *
     * @param text what {@link #write} wrote
     * @param type its class
     * @param <T> its type
     * @return the record; what it does not have is {@code null} or 0, what is not known is left out
     * @throws com.google.gson.JsonParseException if it is something else
     */
    public static <T> T read(String text, Class<T> type) {
        return GSON.fromJson(text, type);
    }
}
