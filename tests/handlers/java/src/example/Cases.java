package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import library.Library;

/** Ends a run in the way that the event names. */
public final class Cases implements RequestHandler<Map<String, Object>, Object> {
    private static final String GREETING = System.getenv("GREETING");

    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        switch ((String) event.get("case")) {
            case "returns":
                return "x".repeat(number(event, "bytes") - 2);
            case "prints":
                for (int line = number(event, "kib"); line > 0; line--) {
                    System.out.println("y".repeat(1023));
                }
                return "printed";
            case "throws":
                throw new NoSuchCustomer();
            case "exits":
                System.exit(3);
                break;
            case "hoards":
                return hoard();
            case "fillsItsHeap":
                return filledHeap(number(event, "mib"));
            case "sleeps":
                System.out.println("sleeping");
                return sleep();
            case "greets":
                return GREETING;
            case "layers":
                return Map.of("shared", layered("shared"), "only_lower", layered("only_lower"));
            case "native":
                return Native.answer();
            case "nested":
                return Library.name();
            default:
                break;
        }
        throw new IllegalArgumentException("no such case");
    }

    private static int number(Map<String, Object> event, String name) {
        return ((Number) event.get(name)).intValue();
    }

    /** Takes memory on both sides of the heap's limit, for that limit alone would only be an OutOfMemoryError. */
    private static Object hoard() {
        List<Object> hoard = new ArrayList<>();
        while (true) {
            hoard.add(new byte[1 << 22]);
            ByteBuffer direct = ByteBuffer.allocateDirect(1 << 22);
            hoard.add(direct);
        }
    }

    private static int filledHeap(int mib) {
        List<byte[]> heap = new ArrayList<>();
        while (heap.size() < mib) {
            heap.add(new byte[1 << 20]);
        }
        return heap.size();
    }

    private static Object sleep() {
        try {
            Thread.sleep(3_600_000);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
        return null;
    }

    private static String layered(String name) {
        try (InputStream resource = Cases.class.getResourceAsStream("/" + name + ".txt")) {
            return new String(resource.readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
