package library;

/** What the function's archive has in a jar of its own. */
public final class Library {
    private Library() {}

    public static String name() {
        return "library";
    }
}
