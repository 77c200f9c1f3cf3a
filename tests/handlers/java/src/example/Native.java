package example;

/** A library of a layer. */
final class Native {
    static {
        System.loadLibrary("answer_java");
    }

    private Native() {}

    static native int answer();
}
