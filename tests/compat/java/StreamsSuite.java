import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Kafka Streams with exactly_once_v2, run by streams.t: StreamsApp in a JVM of
 * its own works on a flow of records while it is killed and restarted, and the
 * broker too; what it made is compared with what a plain loop makes.
 */
public final class StreamsSuite {
    private static final int PARTS = 3;
    private static final int KEYS = 20;
    private static String bootstrap;
    private static int turn;

    private StreamsSuite() {}

    private static Properties with(String... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("reconnect.backoff.max.ms", "200");
        for (int i = 0; i < pairs.length; i += 2)
            p.put(pairs[i], pairs[i + 1]);
        return p;
    }

    private static String key(int n) {
        return "k" + n * 7 % KEYS;
    }

    // -- one application and what it works on

    private static final class Flow {
        final String topic = System.getenv("TOPIC") + "-streams" + ++turn;
        final String protocol;
        final int count;
        final AtomicReference<Exception> failed = new AtomicReference<>();
        final File log = new File(System.getenv("TMP"), "app" + turn + ".log");
        Thread source;
        Process app;

        Flow(String protocol, int count) throws Exception {
            this.protocol = protocol;
            this.count = count;
            try (Admin admin = Admin.create(with())) {
                admin.createTopics(List.of("", "-count", "-sum").stream()
                    .map(t -> new NewTopic(topic + t, PARTS, (short) 1))
                    .collect(Collectors.toList())).all().get();
            }
            for (String t : List.of("", "-count", "-sum"))
                end(topic + t, "read_uncommitted"); // they are ready now
        }

        void start() throws Exception {
            app = new ProcessBuilder("java", "-Xmx192m", "-cp",
                System.getProperty("java.class.path"),
                "-Dlog4j2.configurationFile=" +
                System.getProperty("log4j2.configurationFile"),
                "-Djava.io.tmpdir=" + System.getenv("TMP"),
                "StreamsApp", bootstrap, topic, topic,
                System.getenv("TMP") + "/state" + topic, protocol)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log))
                .start();
        }

        void kill() throws Exception {
            app.destroyForcibly().waitFor();
        }

        boolean stop() throws Exception {
            app.destroy();
            if (app.waitFor(30, TimeUnit.SECONDS))
                return true;
            kill();
            return false;
        }

        /** Sends all, not too fast, in the background. */
        void feed(int perSecond) {
            source = new Thread(() -> {
                try (Producer<String, Long> p = new KafkaProducer<>(
                        with("linger.ms", "5"), new StringSerializer(),
                        new LongSerializer())) {
                    for (int n = 0; n < count; n++) {
                        p.send(new ProducerRecord<>(topic, key(n), n + 1L),
                            (m, e) -> {
                                if (e != null)
                                    failed.set(e);
                            });
                        if (n % 50 == 49)
                            Thread.sleep(50_000 / perSecond);
                    }
                } catch (Exception e) {
                    failed.set(e);
                }
            });
            source.start();
        }

        static long end(String topic, String isolation) {
            try (Consumer<String, Long> c = consumer(isolation)) {
                return c.endOffsets(parts(topic)).values().stream()
                    .mapToLong(Long::longValue).sum();
            }
        }

        /** Waits for more committed output, so that the work is under way. */
        void goesOn(String what) {
            long before = end(topic + "-count", "read_committed");
            if (!Tap.ok(Tap.within(() -> end(topic + "-count",
                    "read_committed") > before + 100), what))
                tellLog();
        }

        void tellLog() {
            try {
                List<String> all = java.nio.file.Files.readAllLines(
                    log.toPath());
                all.subList(Math.max(0, all.size() - 30), all.size())
                    .forEach(Tap::note);
            } catch (java.io.IOException e) {
                Tap.note(e);
            }
        }
    }

    private static Set<TopicPartition> parts(String topic) {
        return IntStream.range(0, PARTS).mapToObj(
            i -> new TopicPartition(topic, i)).collect(Collectors.toSet());
    }

    private static Consumer<String, Long> consumer(String isolation) {
        return new KafkaConsumer<>(with("isolation.level", isolation,
            "enable.auto.commit", "false"), new StringDeserializer(),
            new LongDeserializer());
    }

    /** What is committed, by key, when that many records are there. */
    private static Map<String, List<Long>> read(String topic, int count) {
        Map<String, List<Long>> got = new HashMap<>();
        int[] seen = {0};
        try (Consumer<String, Long> c = consumer("read_committed")) {
            c.assign(parts(topic));
            c.seekToBeginning(parts(topic));
            long until = System.nanoTime() + 60_000_000_000L;
            while (System.nanoTime() < until) {
                c.poll(Duration.ofMillis(300)).forEach(r -> {
                    got.computeIfAbsent(r.key(), k -> new ArrayList<>())
                        .add(r.value());
                    seen[0]++;
                });
                if (seen[0] >= count)
                    break;
            }
            // more than there should be would come now
            c.poll(Duration.ofMillis(500)).forEach(r -> got.computeIfAbsent(
                r.key(), k -> new ArrayList<>()).add(r.value()));
        }
        return got;
    }

    // -- the plain loop

    private static void compare(Flow f) throws Exception {
        f.source.join(120_000);
        Tap.equal(f.failed.get(), null, "every record was sent");
        Map<String, List<Long>> counts = new HashMap<>();
        Map<String, Long> sums = new HashMap<>();
        Map<String, Long> updates = new HashMap<>();
        for (int n = 0; n < f.count; n++) {
            List<Long> of = counts.computeIfAbsent(key(n),
                k -> new ArrayList<>());
            of.add(of.size() + 1L);
            sums.merge("g" + (n + 1) % 13, n + 1L, Long::sum);
            updates.merge("g" + (n + 1) % 13, 1L, Long::sum);
        }
        boolean good = Tap.ok(read(f.topic + "-count", f.count).equals(counts),
            "counts: each change once and in order");
        Map<String, Long> last = new HashMap<>();
        Map<String, Long> times = new HashMap<>();
        boolean[] grows = {true};
        read(f.topic + "-sum", f.count).forEach((k, values) -> {
            last.put(k, values.get(values.size() - 1));
            times.put(k, (long) values.size());
            for (int i = 1; i < values.size(); i++)
                grows[0] &= values.get(i) > values.get(i - 1);
        });
        Tap.equal(last, sums, "sums behind a repartition: the last ones");
        Tap.equal(times, updates, "as many changes as records");
        good &= Tap.ok(grows[0], "which only grow");
        if (!good)
            f.tellLog();
    }

    private static void crashes() throws Exception {
        Flow f = new Flow("classic", 6000);
        f.start();
        f.feed(400);
        f.goesOn("the application works");
        f.kill();
        f.start();
        f.goesOn("it goes on after kill -9");
        if (Tap.broker("kill") != null)
            Tap.note("the broker said something");
        Tap.equal(Tap.broker("again"), bootstrap,
            "the broker is back after kill -9");
        f.goesOn("the application goes on with it");
        Tap.broker("halt");
        Tap.broker("again");
        f.goesOn("and after a restart in order");
        Tap.ok(f.stop(), "the application stops");
        f.start();
        compare(f);
        f.stop();
    }

    private static void streamsProtocol() throws Exception {
        String what = "group.protocol=streams";
        try (Admin admin = Admin.create(with())) {
            var level = admin.describeFeatures().featureMetadata().get()
                .finalizedFeatures().get("streams.version");
            if (level == null || level.maxVersionLevel() < 1) {
                Tap.skip(what, "the broker does not announce " +
                    "StreamsGroupHeartbeat (88)");
                return;
            }
        }
        Flow f = new Flow("streams", 4000);
        f.start();
        f.feed(400);
        f.goesOn("the application works");
        if (Tap.broker("kill") != null)
            Tap.note("the broker said something");
        Tap.equal(Tap.broker("again"), bootstrap,
            "the broker is back after kill -9");
        f.goesOn("the application goes on with it");
        Tap.ok(f.stop(), "the application stops");
        f.start();
        compare(f);
        Tap.ok(f.stop(), "and stops again");
    }

    public static void main(String[] args) throws Exception {
        Tap.client("Kafka Streams", AppInfoParser.getVersion());
        bootstrap = Tap.broker("start");
        if (bootstrap == null) {
            Tap.skip("all", "there is no broker that may be stopped");
            Tap.done();
        }
        Tap.test("exactly_once_v2, application and broker killed",
            StreamsSuite::crashes);
        Tap.test("group.protocol=streams", StreamsSuite::streamsProtocol);
        Tap.done();
    }
}
