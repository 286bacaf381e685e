import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;

/** TAP, and waiting for what must become true. */
final class Tap {
    static final long LIMIT_MS = 30_000;
    private static int count;
    private static int failed;

    interface Body {
        void run() throws Exception;
    }

    private Tap() {}

    static boolean ok(boolean cond, String what) {
        count++;
        if (!cond)
            failed++;
        System.out.println((cond ? "" : "not ") + "ok " + count + " - " + what);
        return cond;
    }

    static void equal(Object got, Object want, String what) {
        if (!ok(Objects.equals(got, want), what)) {
            note("got  " + got);
            note("want " + want);
        }
    }

    static void skip(String what, String why) {
        System.out.println("ok " + ++count + " - " + what + " # SKIP " + why);
    }

    /** Names the client whose checks follow, for the table. */
    static void client(String what, String version) {
        note("client: " + what + " " + version);
    }

    /** Names what the checks that follow are about, for the table. */
    static void feature(String what) {
        note("feature: " + what);
    }

    /**
     * What the program that gives further brokers and proxies says; null if
     * there can be none.
     */
    static String broker(String... words) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(System.getenv("BROKER"));
        command.addAll(List.of(words));
        Process p = new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String line = p.inputReader().readLine();
        if (p.waitFor() != 0)
            throw new IllegalStateException(command + " failed");
        return line;
    }

    static void note(Object text) {
        for (String line : String.valueOf(text).split("\n"))
            System.out.println("# " + line);
    }

    /** The call must fail with this exception or one whose cause it is. */
    static void fails(Class<?> kind, Body body, String what) {
        Throwable got = null;
        try {
            body.run();
        } catch (ExecutionException e) {
            got = e.getCause();
        } catch (Exception e) {
            got = e;
        }
        if (!ok(kind.isInstance(got), what))
            note("got " + got);
    }

    static boolean within(BooleanSupplier cond) {
        long end = System.nanoTime() + LIMIT_MS * 1_000_000;
        while (!cond.getAsBoolean())
            if (System.nanoTime() > end)
                return false;
        return true;
    }

    /** Runs one test; what it throws is its failure and no other's. */
    static void test(String name, Body body) {
        feature(name);
        try {
            body.run();
        } catch (Throwable t) {
            ok(false, name + " threw");
            note(t);
            for (StackTraceElement at : t.getStackTrace())
                note("  " + at);
        }
    }

    static void done() {
        System.out.println("1.." + count);
        System.out.flush();
        System.exit(failed > 0 ? 1 : 0);
    }
}
