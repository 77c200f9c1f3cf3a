package example;

/** An error of the function's own. */
final class NoSuchCustomer extends RuntimeException {
    NoSuchCustomer() {
        super("no such customer");
    }
}
