import java.io.IOException;
import java.io.OutputStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;

/**
 * A JVM to be looked at: it holds a heap of a known kind, has threads in known states, answers HTTP.
 *
 * <p>Load [--port N] [--megabytes N] [--threads N] [--deadlock] [--busy] [--churn] [--secret TEXT]
 *
 * <p>GET / says ok, /fill?megabytes=N holds N more, /exit?code=N ends the process. "ready" on stdout says that it listens.
 * It needs java.base alone, of Java 11 or later.
 */
public final class Load {
    private static final Object LOCK = new Object();
    private static final Map<String, String> NAMES = new HashMap<>();
    private static final List<Node> NODES = new ArrayList<>();
    private static final List<long[]> ARRAYS = new ArrayList<>();
    private static final Map<String, Object> SECRETS = new HashMap<>();

    private static final class Node {
        final Node next;
        final int number;
        final boolean odd;

        Node(Node next, int number) {
            this.next = next;
            this.number = number;
            this.odd = (number & 1) == 1;
        }
    }

    private interface Body {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> options = options(args);
        fill(number(options, "--megabytes", 16));
        plant(options.get("--secret"));
        startThreads(number(options, "--threads", 1));
        if (options.containsKey("--deadlock")) {
            startDeadlock();
        }
        if (options.containsKey("--busy")) {
            start("busy-1", Load::spin);
        }
        if (options.containsKey("--churn")) {
            start("churning-1", Load::churn);
        }
        serve(number(options, "--port", 8080));
    }

    private static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < args.length; i++) {
            boolean hasValue = i + 1 < args.length && !args[i + 1].startsWith("--");
            options.put(args[i], hasValue ? args[i + 1] : "");
            i += hasValue ? 1 : 0;
        }
        return options;
    }

    private static int number(Map<String, String> options, String name, int otherwise) {
        return Integer.parseInt(options.getOrDefault(name, Integer.toString(otherwise)));
    }

    /** A third of each: map entries with strings, linked small objects, arrays of 64 KiB. */
    private static synchronized void fill(int megabytes) {
        int base = NAMES.size();
        for (int i = 0; i < megabytes * 2100; i++) {
            NAMES.put("customer-" + (base + i), "order number " + i + " of the day");
        }
        Node last = NODES.isEmpty() ? null : NODES.get(NODES.size() - 1);
        for (int i = 0; i < megabytes * 11000; i++) {
            last = new Node(last, i);
            NODES.add(last);
        }
        for (int i = 0; i < megabytes * 6; i++) {
            long[] array = new long[8191];
            array[i % array.length] = i;
            ARRAYS.add(array);
        }
    }

    /** The text in each form in which a heap holds text, each with a word behind it that says which. */
    private static void plant(String secret) {
        if (secret == null) {
            return;
        }
        SECRETS.put("string", secret + "/string");
        SECRETS.put("latin1", secret.replaceAll("[^ -~]", "") + "/latin1");
        SECRETS.put("bytes", (secret + "/bytes").getBytes(StandardCharsets.UTF_8));
        SECRETS.put("chars", (secret + "/chars").toCharArray());
        SECRETS.put("interned", (secret + "/interned").intern());
        SECRETS.put("codepoints", (secret + "/codepoints").codePoints().toArray());
        SECRETS.put("field", new Card(secret));
        SECRETS.put("constant", "C0nstant/of-a-class-file");
        start(secret + "/thread", Load::waitForever);
    }

    /** The first eight bytes of a text, as numbers in fields. */
    private static final class Card {
        static long lastNumber;
        final long number;

        Card(String text) {
            long bytes = 0;
            for (int i = 0; i < 8; i++) {
                bytes = bytes << 8 | text.charAt(i) & 0xff;
            }
            number = bytes;
            lastNumber = bytes + 1;
        }
    }

    private static void startThreads(int each) throws InterruptedException {
        for (int i = 1; i <= each; i++) {
            start("waiting-" + i, Load::waitForever);
            start("parked-" + i, () -> { while (true) LockSupport.park(NODES); });
            start("sleeping-" + i, () -> { while (true) Thread.sleep(3_600_000); });
        }
        CountDownLatch held = new CountDownLatch(1);
        start("holding-1", () -> {
            synchronized (LOCK) {
                held.countDown();
                while (true) Thread.sleep(3_600_000);
            }
        });
        held.await();
        for (int i = 1; i <= each; i++) {
            start("blocked-" + i, () -> { synchronized (LOCK) { spin(); } });
        }
    }

    private static void waitForever() throws InterruptedException {
        Object own = new Object();
        synchronized (own) {
            while (true) own.wait();
        }
    }

    private static void startDeadlock() throws InterruptedException {
        Object left = new Object();
        Object right = new Object();
        CountDownLatch both = new CountDownLatch(2);
        start("deadlock-a", () -> lockBoth(left, right, both));
        start("deadlock-b", () -> lockBoth(right, left, both));
        both.await();
    }

    private static void lockBoth(Object first, Object second, CountDownLatch both) throws InterruptedException {
        synchronized (first) {
            both.countDown();
            both.await();
            synchronized (second) {
                spin();
            }
        }
    }

    private static void spin() {
        long number = 1;
        while (number != 0) {
            number = number * 6364136223846793005L + 1442695040888963407L | 1;
        }
    }

    /** A full collection, as much rest, and so on: half of those who look look into a collection. */
    private static void churn() throws InterruptedException {
        while (true) {
            long started = System.nanoTime();
            System.gc();
            Thread.sleep((System.nanoTime() - started) / 1_000_000);
        }
    }

    private static void start(String name, Body body) {
        Thread thread = new Thread(() -> {
            try {
                body.run();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }, name);
        thread.setDaemon(true);
        thread.start();
    }

    private static void serve(int port) throws IOException {
        try (ServerSocket server = new ServerSocket(port)) {
            System.out.println("ready on port " + server.getLocalPort());
            while (true) {
                try (Socket socket = server.accept()) {
                    socket.setSoTimeout(2000);
                    answer(socket);
                } catch (IOException error) {
                    System.err.println("request failed: " + error);
                }
            }
        }
    }

    private static void answer(Socket socket) throws IOException {
        byte[] buffer = new byte[8192];
        int length = socket.getInputStream().read(buffer);
        String[] words = new String(buffer, 0, Math.max(length, 0), StandardCharsets.US_ASCII).split(" ", 3);
        String path = words.length > 1 ? words[1] : "/";
        int value = path.contains("=") ? Integer.parseInt(path.substring(path.indexOf('=') + 1)) : 0;
        if (path.startsWith("/fill?megabytes=")) {
            fill(value);
        }
        byte[] body = ("ok " + NAMES.size() + " " + NODES.size() + " " + ARRAYS.size() + "\n").getBytes(StandardCharsets.US_ASCII);
        String head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + body.length + "\r\nConnection: close\r\n\r\n";
        OutputStream out = socket.getOutputStream();
        out.write(head.getBytes(StandardCharsets.US_ASCII));
        out.write(body);
        out.flush();
        if (path.startsWith("/exit?code=")) {
            Runtime.getRuntime().halt(value);
        }
    }
}
