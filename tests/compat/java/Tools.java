import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's command line tools, run by tools.t: their main classes in one JVM,
 * each with what it prints and the status that it would end with.
 */
public final class Tools {
    private static final String PREFIX = System.getenv("TOPIC");
    private static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
    private static final Path TMP = Path.of(System.getenv("TMP"));
    private static final String TOOLS = "org.apache.kafka.tools.";
    private static final String TOPICS = TOOLS + "TopicCommand";
    private static final String CONFIGS = "kafka.admin.ConfigCommand";
    private static final String GROUPS = TOOLS +
        "consumer.group.ConsumerGroupCommand";
    private static final String TRANSACTIONS = TOOLS + "TransactionsCommand";
    private static final String CONSUMER = TOOLS + "consumer.ConsoleConsumer";
    private static final String AT = "--bootstrap-server";
    private static final PrintStream REAL = System.out;
    private static final Set<String> APIS = new HashSet<>();
    private static final List<Runnable> HOOKS = new ArrayList<>();

    private Tools() {}

    // -- running a tool

    /** Ends the tool that calls exit; no exception, so that few catch it. */
    private static final class Exited extends Error {
        final int status;

        Exited(int status) {
            super("exit " + status, null, false, false);
            this.status = status;
        }
    }

    /** Passes on to whatever is to be written to at the moment. */
    private static final class Switch extends OutputStream {
        volatile OutputStream to = REAL;

        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public synchronized void write(byte[] b, int at, int size) {
            try {
                to.write(b, at, size);
            } catch (java.io.IOException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private static final Switch OUT = new Switch();
    private static final Switch ERR = new Switch();

    private record Result(int status, String out, String err) {
        String find(String regex) {
            Matcher m = Pattern.compile(regex, Pattern.MULTILINE).matcher(out);
            if (!m.find())
                return null;
            return m.groupCount() > 0 ? m.group(1) : m.group();
        }
    }

    private static int status(Callable<?> main) {
        int[] first = {-1};
        Exit.Procedure exit = (status, message) -> {
            if (message != null)
                System.err.println(message);
            if (first[0] < 0)
                first[0] = status;
            throw new Exited(first[0]);
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        try {
            main.call();
            return Math.max(first[0], 0);
        } catch (Exited e) {
            return e.status;
        } catch (Throwable t) {
            t.printStackTrace();
            return first[0] < 0 ? 1 : first[0];
        } finally {
            // some tools flush what they have only here
            HOOKS.forEach(Runnable::run);
            HOOKS.clear();
        }
    }

    private static Result feed(String input, String tool, String... args)
        throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int[] status = {-1};
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(
            input.getBytes(StandardCharsets.UTF_8)));
        OUT.to = out;
        ERR.to = err;
        Thread t = new Thread(() -> status[0] = status(() -> {
            try {
                return Class.forName(tool).getMethod("main", String[].class)
                    .invoke(null, (Object) args);
            } catch (InvocationTargetException e) {
                if (e.getCause() instanceof Exited x)
                    throw x;
                throw e;
            }
        }));
        t.setDaemon(true);
        t.start();
        t.join(60_000);
        OUT.to = REAL;
        ERR.to = System.out;
        System.setIn(before);
        if (t.isAlive())
            Tap.note(tool + " does not end");
        return new Result(status[0], out.toString(StandardCharsets.UTF_8),
            err.toString(StandardCharsets.UTF_8));
    }

    private static Result run(String tool, String... args) throws Exception {
        return feed("", tool, args);
    }

    /** For a tool that tells the best of it when its JVM ends. */
    private static Result jvm(String... command) throws Exception {
        List<String> all = new ArrayList<>(List.of("java", "-Xmx128m",
            "-Dlog4j2.configurationFile=" + TMP.resolve("log4j2.properties"),
            "-cp", System.getProperty("java.class.path")));
        all.addAll(List.of(command));
        Process p = new ProcessBuilder(all).redirectErrorStream(true).start();
        String out = new String(p.getInputStream().readAllBytes(),
            StandardCharsets.UTF_8);
        return new Result(p.waitFor(), out, "");
    }

    private static boolean tells(Result r, int status, String regex,
        String what) {
        boolean good = Tap.ok(r.status == status && (regex == null ||
            Pattern.compile(regex, Pattern.MULTILINE).matcher(r.out + r.err)
            .find()), what);
        if (!good) {
            Tap.note("status " + r.status + ", want " + status + " and " +
                regex);
            Tap.note("out: " + cut(r.out));
            Tap.note("err: " + cut(r.err));
        }
        return good;
    }

    private static String cut(String s) {
        return s.length() > 1500 ? s.substring(0, 1500) + "..." : s;
    }

    /** Runs it until it tells that, as others may need a moment. */
    private static void soon(String regex, String what, String tool,
        String... args) throws Exception {
        Result[] last = {null};
        Tap.within(() -> {
            try {
                last[0] = run(tool, args);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            return last[0].status == 0 && last[0].find(regex) != null;
        });
        tells(last[0], 0, regex, what);
    }

    /** Whether the broker has these APIs; if not, a skipped check says so. */
    private static boolean has(String what, String... apis) {
        for (String api : apis)
            if (!APIS.contains(api)) {
                Tap.skip(what, "the broker does not announce " + api);
                return false;
            }
        return true;
    }

    private static String name(String word) {
        return PREFIX + "-" + word;
    }

    private static void create(String topic, int parts) throws Exception {
        Result r = run(TOPICS, AT, BOOTSTRAP, "--create", "--topic", topic,
            "--partitions", "" + parts);
        if (r.status != 0)
            throw new IllegalStateException(r.out + r.err);
        soon(topic + ":" + (parts - 1) + ":0", "a topic to work with",
            TOOLS + "GetOffsetShell", AT, BOOTSTRAP, "--topic", topic);
    }

    private static String lines(int from, int to) {
        StringBuilder s = new StringBuilder();
        for (int n = from; n < to; n++)
            s.append("k").append(n % 10).append(":v").append(n).append('\n');
        return s.toString();
    }

    private static void produce(String topic, int from, int to)
        throws Exception {
        Result r = feed(lines(from, to), TOOLS + "ConsoleProducer", AT,
            BOOTSTRAP, "--topic", topic, "--reader-property",
            "parse.key=true", "--reader-property", "key.separator=:");
        if (r.status != 0)
            throw new IllegalStateException(r.out + r.err);
    }

    // -- what the broker has

    private static void apis() throws Exception {
        Result r = run(TOOLS + "BrokerApiVersionsCommand", AT, BOOTSTRAP);
        tells(r, 0, "^" + Pattern.quote(BOOTSTRAP) + " \\(id: ",
            "api-versions");
        Matcher m = Pattern.compile("(\\w+)\\(\\d+\\): \\d").matcher(r.out);
        while (m.find())
            APIS.add(m.group(1));
        Tap.ok(APIS.contains("Produce"), "it lists Produce");
    }

    private static void cluster() throws Exception {
        tells(run(TOOLS + "ClusterTool", "cluster-id", AT, BOOTSTRAP), 0,
            "Cluster ID: \\S{22}", "cluster: cluster-id");
        tells(run(TOOLS + "ClusterTool", "list-endpoints", AT, BOOTSTRAP), 0,
            "127\\.0\\.0\\.1 +" + BOOTSTRAP.split(":")[1],
            "cluster: list-endpoints");
        tells(run(TOOLS + "FeatureCommand", AT, BOOTSTRAP, "describe"), 0,
            null, "features: describe");
    }

    // -- topics, configs, records

    private static void topics() throws Exception {
        String topic = name("topic");
        tells(run(TOPICS, AT, BOOTSTRAP, "--create", "--topic", topic,
            "--partitions", "3", "--config", "retention.ms=3600000"), 0,
            "Created topic", "topics: create");
        soon("^" + topic + "$", "list", TOPICS, AT, BOOTSTRAP, "--list");
        soon("Topic: " + topic + "\tTopicId: \\S{22}\tPartitionCount: 3",
            "describe", TOPICS, AT, BOOTSTRAP, "--describe", "--topic", topic);
        soon("retention.ms=3600000", "describe tells its configs", TOPICS, AT,
            BOOTSTRAP, "--describe", "--topic", topic);
        tells(run(TOPICS, AT, BOOTSTRAP, "--create", "--topic", topic), 1,
            "already exists", "create again fails");
        tells(run(TOPICS, AT, BOOTSTRAP, "--create", "--if-not-exists",
            "--topic", topic), 0, null, "create --if-not-exists");
        tells(run(TOPICS, AT, BOOTSTRAP, "--alter", "--topic", topic,
            "--partitions", "5"), 0, null, "alter: more partitions");
        soon("PartitionCount: 5", "they are there", TOPICS, AT, BOOTSTRAP,
            "--describe", "--topic", topic);
        tells(run(TOPICS, AT, BOOTSTRAP, "--alter", "--topic", topic,
            "--partitions", "2"), 1, "5 partition", "fewer fail");
        tells(run(TOPICS, AT, BOOTSTRAP, "--describe", "--topic",
            name("none")), 1, "does not exist", "describe an unknown one");
        tells(run(TOPICS, AT, BOOTSTRAP, "--delete", "--topic", topic), 0,
            null, "delete");
        Tap.ok(Tap.within(() -> {
            try {
                return run(TOPICS, AT, BOOTSTRAP, "--list")
                    .find("^" + topic + "$") == null;
            } catch (Exception e) {
                return false;
            }
        }), "it is gone");
    }

    private static void configs() throws Exception {
        String topic = name("configs");
        create(topic, 1);
        String[] of = {AT, BOOTSTRAP, "--entity-type", "topics",
            "--entity-name", topic};
        tells(run(CONFIGS, with(of, "--alter", "--add-config",
            "retention.ms=777000,cleanup.policy=compact")), 0, "Completed",
            "configs: add");
        soon("retention.ms=777000", "describe", CONFIGS,
            with(of, "--describe"));
        tells(run(CONFIGS, with(of, "--alter", "--delete-config",
            "retention.ms")), 0, "Completed", "delete");
        soon("retention.ms=604800000", "--all tells defaults", CONFIGS,
            with(of, "--describe", "--all"));
        tells(run(CONFIGS, with(of, "--alter", "--add-config",
            "no.such.thing=1")), 1, "(?i)unknown topic config",
            "an unknown one fails");
        tells(run(CONFIGS, with(of, "--alter", "--add-config",
            "retention.ms=never")), 1, "(?i)invalid value",
            "an invalid value fails");
        tells(run(CONFIGS, AT, BOOTSTRAP, "--entity-type", "brokers",
            "--entity-name", "1", "--describe", "--all"), 0,
            "log.retention|num.partitions", "describe a broker");
    }

    private static String[] with(String[] first, String... more) {
        String[] all = Arrays.copyOf(first,
            first.length + more.length);
        System.arraycopy(more, 0, all, first.length, more.length);
        return all;
    }

    private static void records() throws Exception {
        String topic = name("records");
        create(topic, 1);
        produce(topic, 0, 100);
        Result r = run(CONSUMER, AT, BOOTSTRAP, "--topic", topic,
            "--from-beginning", "--max-messages", "100",
            "--formatter-property", "print.key=true", "--formatter-property",
            "key.separator=:");
        Tap.equal(r.out, lines(0, 100), "console producer and consumer");
        tells(r, 0, "Processed a total of 100 messages", "it counts them");
        r = run(CONSUMER, AT, BOOTSTRAP, "--topic", topic, "--partition", "0",
            "--offset", "90", "--max-messages", "10", "--formatter-property",
            "print.offset=true", "--formatter-property",
            "print.timestamp=true");
        tells(r, 0, "^CreateTime:\\d{13}\\s+Offset:99\\s+v99$",
            "by offset, with timestamps");
        r = run(CONSUMER, AT, BOOTSTRAP, "--topic", topic, "--timeout-ms",
            "1500");
        tells(r, 0, "Processed a total of 0 messages", "the end: nothing");
        r = feed("x\ny\n", TOOLS + "ConsoleProducer", AT, BOOTSTRAP,
            "--topic", topic, "--command-property", "acks=all",
            "--command-property", "compression.type=zstd", "--sync");
        tells(r, 0, null, "--sync, with zstd");
        String[] offsets = {AT, BOOTSTRAP, "--topic", topic};
        tells(run(TOOLS + "GetOffsetShell", offsets), 0,
            "^" + topic + ":0:102$", "get-offsets");
        tells(run(TOOLS + "GetOffsetShell", with(offsets, "--time",
            "earliest")), 0, "^" + topic + ":0:0$", "earliest");
        tells(run(TOOLS + "GetOffsetShell", with(offsets, "--time",
            "max-timestamp")), 0, "^" + topic + ":0:10\\d$",
            "max-timestamp");
        Path json = TMP.resolve("delete.json");
        Files.writeString(json, "{\"version\": 1, \"partitions\": [{\"topic\":"
            + " \"" + topic + "\", \"partition\": 0, \"offset\": 40}]}");
        tells(run(TOOLS + "DeleteRecordsCommand", AT, BOOTSTRAP,
            "--offset-json-file", json.toString()), 0, "low_watermark: 40",
            "delete-records");
        tells(run(TOOLS + "GetOffsetShell", with(offsets, "--time", "-2")), 0,
            "^" + topic + ":0:40$", "get-offsets tells the new beginning");
        if (has("log-dirs", "DescribeLogDirs"))
            tells(run(TOOLS + "LogDirsCommand", AT, BOOTSTRAP, "--describe",
                "--topic-list", topic), 0, "\"partition\":\"" + topic +
                "-0\",\"size\":[1-9]", "log-dirs");
    }

    // -- groups

    private static void groups() throws Exception {
        String topic = name("grouped");
        String group = name("group");
        String[] of = {AT, BOOTSTRAP, "--group", group};
        create(topic, 2);
        produce(topic, 0, 100);
        tells(run(CONSUMER, AT, BOOTSTRAP, "--topic", topic, "--group", group,
            "--from-beginning", "--max-messages", "100"), 0,
            "total of 100 messages", "a console consumer in a group");
        tells(run(GROUPS, AT, BOOTSTRAP, "--list"), 0, "^" + group + "$",
            "consumer-groups: list");
        tells(run(GROUPS, AT, BOOTSTRAP, "--list", "--state"), 0,
            "^" + group + " .*Empty", "list --state");
        Result r = run(GROUPS, with(of, "--describe"));
        tells(r, 0, "^" + group + " +" + topic +
            " +0 +(\\d+) +\\1 +0 +- +- +-", "describe: no lag");
        tells(run(GROUPS, with(of, "--describe", "--state")), 0,
            "^" + group + " .* Empty +0", "describe --state");
        tells(run(GROUPS, with(of, "--describe", "--members")), 0,
            "has no active members", "describe --members");
        produce(topic, 100, 130);
        r = run(GROUPS, with(of, "--describe"));
        Matcher lag = Pattern.compile("^" + group + " +" + topic +
            " +\\d +\\d+ +\\d+ +(\\d+)", Pattern.MULTILINE).matcher(r.out);
        int sum = 0;
        while (lag.find())
            sum += Integer.parseInt(lag.group(1));
        if (!Tap.ok(sum == 30, "describe: the lag of both"))
            Tap.note(sum + "\n" + r.out);
        String[] reset = with(of, "--reset-offsets", "--topic", topic);
        tells(run(GROUPS, with(reset, "--to-earliest", "--dry-run")), 0,
            "^" + group + " +" + topic + " +1 +0", "reset-offsets: dry run");
        tells(run(GROUPS, with(of, "--describe")), 0, "^" + group + " +" +
            topic + " +0 +[1-9]", "which changed nothing");
        tells(run(GROUPS, with(reset, "--to-earliest", "--execute")), 0,
            "^" + group + " +" + topic + " +1 +0", "to the beginning");
        tells(run(GROUPS, with(of, "--describe")), 0, "^" + group + " +" +
            topic + " +0 +0 ", "describe tells it");
        tells(run(GROUPS, with(reset, "--to-latest", "--execute")), 0,
            "^" + group + " +" + topic + " +0 +[1-9]", "to the end");
        tells(run(GROUPS, with(reset, "--shift-by", "-3", "--execute")), 0,
            null, "back by three");
        tells(run(GROUPS, with(reset, "--to-datetime",
            "2020-01-01T00:00:00.000", "--execute")), 0, "^" + group + " +" +
            topic + " +0 +0", "to a time");
        tells(run(GROUPS, with(of, "--delete-offsets", "--topic", topic)), 0,
            "Successful", "delete-offsets");
        tells(run(GROUPS, with(of, "--delete")), 0, "was successful",
            "delete");
        tells(run(GROUPS, with(of, "--describe")), 0,
            "Group " + group + " not found", "then it is unknown");
        tells(run(TOOLS + "GroupsCommand", AT, BOOTSTRAP, "--list"), 0, null,
            "groups: list");
    }

    // -- transactions

    private static void transactions() throws Exception {
        String topic = name("txn");
        String id = name("txn-id");
        Properties p = new Properties();
        p.put("bootstrap.servers", BOOTSTRAP);
        p.put("transactional.id", id);
        if (!has("transactions", "InitProducerId", "EndTxn"))
            return;
        create(topic, 1);
        try (Producer<String, String> open = new KafkaProducer<>(p,
                new StringSerializer(), new StringSerializer())) {
            open.initTransactions();
            open.beginTransaction();
            open.send(new ProducerRecord<>(topic, 0, null, "x")).get();
            open(topic, id);
            open.close(Duration.ZERO);
        }
    }

    private static void open(String topic, String id) throws Exception {
        String[] at = {AT, BOOTSTRAP};
        if (has("transactions list", "ListTransactions"))
            tells(run(TRANSACTIONS, with(at, "list")), 0, "^" + id +
                "\\s+\\d+\\s+\\d+\\s+Ongoing", "transactions: list");
        if (has("transactions describe", "DescribeTransactions"))
            tells(run(TRANSACTIONS, with(at, "describe",
                "--transactional-id", id)), 0, "Ongoing.*" + topic + "-0",
                "describe");
        if (!has("transactions describe-producers", "DescribeProducers"))
            return;
        Result r = run(TRANSACTIONS, with(at, "describe-producers", "--topic",
            topic, "--partition", "0"));
        tells(r, 0, "^\\d+\\s+\\d+\\s+(-?\\d+)\\s+0\\s+\\d+\\s+0\\s*$",
            "describe-producers: an open transaction from offset 0");
        if (!has("transactions find-hanging", "ListTransactions",
                "DescribeTransactions"))
            return;
        r = run(TRANSACTIONS, with(at, "find-hanging", "--broker-id", node(),
            "--max-transaction-timeout", "1"));
        tells(r, 0, "ProducerId", "find-hanging finds none");
        Tap.ok(r.find("^" + topic) == null, "as its coordinator knows it");
        if (has("transactions abort", "WriteTxnMarkers"))
            tells(run(TRANSACTIONS, with(at, "abort", "--topic", topic,
                "--partition", "0", "--start-offset", "0")), 0, null,
                "abort one by its first offset");
        Tap.equal(run(TOOLS + "GetOffsetShell", AT, BOOTSTRAP, "--topic",
            topic).find("^" + topic + ":0:(\\d+)$"),
            APIS.contains("WriteTxnMarkers") ? "2" : "1",
            "an abort leaves a marker");
    }

    private static String node() throws Exception {
        return run(TOOLS + "BrokerApiVersionsCommand", AT, BOOTSTRAP)
            .find("\\(id: (\\d+)");
    }

    // -- speed and proof

    private static void performance() throws Exception {
        String topic = name("perf");
        create(topic, 3);
        tells(run(TOOLS + "ProducerPerformance", "--topic", topic,
            "--num-records", "20000", "--record-size", "100", "--throughput",
            "-1", "--bootstrap-server", BOOTSTRAP, "--command-property",
            "linger.ms=5"), 0, "20000 records sent, .* records/sec",
            "producer-perf-test");
        if (has("producer-perf-test with transactions", "EndTxn"))
            tells(run(TOOLS + "ProducerPerformance", "--topic", topic,
                "--num-records", "5000", "--record-size", "100",
                "--throughput", "-1", "--bootstrap-server", BOOTSTRAP,
                "--transactional-id", name("perf"),
                "--transaction-duration-ms", "50"), 0,
                "5000 records sent", "with transactions");
        tells(run(TOOLS + "ConsumerPerformance", AT, BOOTSTRAP, "--topic",
            topic, "--num-records", "20000", "--timeout", "30000"), 0,
            ", 2\\d{4}, ", "consumer-perf-test");
        tells(run(TOOLS + "EndToEndLatency", "--bootstrap-server", BOOTSTRAP,
            "--topic", topic, "--num-records", "200", "--producer-acks",
            "all", "--record-size", "50"), 0, "Avg latency",
            "e2e-latency");
    }

    private static void verifiable() throws Exception {
        String topic = name("verifiable");
        create(topic, 1);
        Result r = jvm(TOOLS + "VerifiableProducer", AT, BOOTSTRAP, "--topic",
            topic, "--max-messages", "500", "--acks", "-1");
        tells(r, 0, "\"sent\":500,\"acked\":500", "verifiable-producer");
        Tap.equal(r.out.split("producer_send_success").length - 1, 500,
            "each record is acknowledged");
        r = run(TOOLS + "VerifiableConsumer", AT, BOOTSTRAP, "--topic", topic,
            "--group-id", name("verifiable"), "--max-messages", "500",
            "--reset-policy", "earliest");
        tells(r, 0, "\"maxOffset\":499", "verifiable-consumer");
        Tap.ok(r.find("\"name\":\"offsets_committed\"") != null,
            "it commits");
    }

    public static void main(String[] args) {
        System.setOut(new PrintStream(OUT, true));
        System.setErr(new PrintStream(ERR, true));
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        Tap.client("Kafka's command line tools", AppInfoParser.getVersion());
        Tap.test("api-versions", Tools::apis);
        Tap.test("cluster, features", Tools::cluster);
        Tap.test("topics", Tools::topics);
        Tap.test("configs", Tools::configs);
        Tap.test("console producer and consumer, get-offsets, delete-records,"
            + " log-dirs", Tools::records);
        Tap.test("consumer-groups, groups", Tools::groups);
        Tap.test("transactions", Tools::transactions);
        Tap.test("perf tests", Tools::performance);
        Tap.test("verifiable producer and consumer", Tools::verifiable);
        Exit.resetExitProcedure();
        Tap.done();
    }
}
