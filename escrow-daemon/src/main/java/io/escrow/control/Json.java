package io.escrow.control;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.ToNumberPolicy;

/** Converts the records of this package to and from JSON. */
public final class Json {

    private static final Gson GSON = new GsonBuilder()
            .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
            .setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE)
            .disableHtmlEscaping()
            .create();

    private Json() {}

    /**
     * Converts a record to JSON.
     *
     * @param view the record
     * @return one line of JSON, without a line end
     */
    public static String write(Object view) {
        return GSON.toJson(view);
    }

    /**
     * Converts JSON to a record.
     *
     * @param text JSON, as {@link #write} returns it
     * @param type its class
     * @param <T> its type
     * @return the record; missing components are {@code null} or 0, unknown members are ignored
     * @throws com.google.gson.JsonParseException if the text is not such an object
     */
    public static <T> T read(String text, Class<T> type) {
        return GSON.fromJson(text, type);
    }
}
