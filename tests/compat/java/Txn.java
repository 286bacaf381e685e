import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** Transactions of the Java client, 3.x and 4.x: run by txn-java*.t. */
public final class Txn {
    private static final String PREFIX = System.getenv("TOPIC");
    private static final String COMMITTED = "read_committed";
    private static final String UNCOMMITTED = "read_uncommitted";
    // changed while a test has a broker or a proxy of its own
    private static String bootstrap = System.getenv("BOOTSTRAP");

    private Txn() {}

    // -- helpers

    private static String name(String word) {
        return PREFIX + "-" + word;
    }

    private static Properties with(String... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2)
            p.put(pairs[i], pairs[i + 1]);
        return p;
    }

    /** A topic whose partitions are all ready: see README.md. */
    private static String create(String word, int parts) throws Exception {
        try (Admin admin = Admin.create(with())) {
            admin.createTopics(List.of(new NewTopic(name(word), parts,
                (short) 1))).all().get();
        }
        ends(name(word), parts, UNCOMMITTED);
        return name(word);
    }

    private static Producer<String, String> plain(String... pairs) {
        return new KafkaProducer<>(with(pairs), new StringSerializer(),
            new StringSerializer());
    }

    /** A producer of that transactional id, ready to begin. */
    private static Producer<String, String> producer(String word,
        String... pairs) {
        Properties p = with("transactional.id", name(word));
        p.putAll(with(pairs));
        Producer<String, String> made = new KafkaProducer<>(p,
            new StringSerializer(), new StringSerializer());
        made.initTransactions();
        return made;
    }

    private static void send(Producer<String, String> p, String topic,
        int parts, int from, int to) {
        for (int n = from; n < to; n++)
            p.send(new ProducerRecord<>(topic, n % parts, null, "" + n));
    }

    private static Consumer<String, String> consumer(String isolation,
        String... pairs) {
        Properties p = with("isolation.level", isolation, "auto.offset.reset",
            "earliest", "enable.auto.commit", "false");
        p.putAll(with(pairs));
        return new KafkaConsumer<>(p, new StringDeserializer(),
            new StringDeserializer());
    }

    private static Set<TopicPartition> partitions(String topic, int parts) {
        return IntStream.range(0, parts).mapToObj(
            i -> new TopicPartition(topic, i)).collect(Collectors.toSet());
    }

    private static long ends(String topic, int parts, String isolation) {
        try (Consumer<String, String> c = consumer(isolation)) {
            return c.endOffsets(partitions(topic, parts)).values().stream()
                .mapToLong(Long::longValue).sum();
        }
    }

    /** What lies before the end that this isolation level shows. */
    private static List<ConsumerRecord<String, String>> records(String topic,
        int parts, String isolation) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        try (Consumer<String, String> c = consumer(isolation)) {
            Set<TopicPartition> all = partitions(topic, parts);
            Map<TopicPartition, Long> end = c.endOffsets(all);
            c.assign(all);
            c.seekToBeginning(all);
            if (!Tap.within(() -> {
                    c.poll(Duration.ofMillis(100)).forEach(got::add);
                    return all.stream().allMatch(
                        p -> c.position(p) >= end.get(p));
                }))
                Tap.note("the end of " + topic + " was not reached");
        }
        return got;
    }

    private static List<Integer> sorted(List<ConsumerRecord<String, String>> l) {
        return l.stream().map(r -> Integer.valueOf(r.value())).sorted()
            .collect(Collectors.toList());
    }

    private static List<Integer> read(String topic, int parts,
        String isolation) {
        return sorted(records(topic, parts, isolation));
    }

    private static List<Integer> numbers(int from, int to) {
        return IntStream.range(from, to).boxed().collect(Collectors.toList());
    }

    private static boolean unblocked(String topic, int parts) {
        return Tap.within(() -> ends(topic, parts, COMMITTED) ==
            ends(topic, parts, UNCOMMITTED));
    }

    /**
     * What is committed when all has ended: the answer to a commit or an abort
     * may come before its markers are written.
     */
    private static List<Integer> settled(String topic, int parts) {
        unblocked(topic, parts);
        return read(topic, parts, COMMITTED);
    }

    // -- one producer

    private static void commit() throws Exception {
        String one = create("commit", 3);
        String two = create("commit-two", 2);
        try (Producer<String, String> p = producer("commit")) {
            p.beginTransaction();
            send(p, one, 3, 0, 90);
            send(p, two, 2, 0, 20);
            p.flush();
            Tap.equal(read(one, 3, UNCOMMITTED), numbers(0, 90),
                "read_uncommitted sees an open transaction");
            Tap.equal(ends(one, 3, COMMITTED), 0L,
                "the stable offset stays at its beginning");
            try (Consumer<String, String> c = consumer(COMMITTED)) {
                c.assign(partitions(one, 3));
                Tap.ok(c.poll(Duration.ofMillis(300)).isEmpty(),
                    "read_committed sees nothing of it");
            }
            p.commitTransaction();
        }
        Tap.equal(settled(one, 3), numbers(0, 90),
            "after the commit it sees all");
        Tap.equal(settled(two, 2), numbers(0, 20),
            "in the other topic, too");
        Tap.equal(ends(one, 3, COMMITTED), 93L,
            "each partition has one marker");
        Tap.equal(ends(one, 3, UNCOMMITTED), 93L, "and no more");
    }

    private static void abort() throws Exception {
        String topic = create("abort", 2);
        try (Producer<String, String> p = producer("abort")) {
            p.beginTransaction();
            send(p, topic, 2, 0, 50);
            p.flush();
            p.abortTransaction();
            Tap.ok(unblocked(topic, 2), "an abort moves the stable offset");
            Tap.equal(settled(topic, 2), List.of(),
                "read_committed sees nothing of it");
            Tap.equal(read(topic, 2, UNCOMMITTED), numbers(0, 50),
                "read_uncommitted does");
            p.beginTransaction();
            send(p, topic, 2, 50, 60);
            p.commitTransaction();
            Tap.equal(settled(topic, 2), numbers(50, 60),
                "what is committed next is seen");
            p.beginTransaction();
            p.commitTransaction();
            p.beginTransaction();
            p.abortTransaction();
            Tap.ok(true, "empty transactions end well");
        }
    }

    /** Three producers take turns in one partition, every third aborts. */
    private static void interleaved() throws Exception {
        String topic = create("interleaved", 1);
        List<Producer<String, String>> all = new ArrayList<>();
        List<Integer> want = new ArrayList<>();
        for (int i = 0; i < 3; i++)
            all.add(producer("interleaved-" + i, "linger.ms", "0"));
        int n = 0;
        for (int round = 0; round < 12; round++) {
            for (Producer<String, String> p : all)
                p.beginTransaction();
            for (int k = 0; k < 9; k++, n++) {
                Producer<String, String> p = all.get(k % 3);
                p.send(new ProducerRecord<>(topic, 0, null, "" + n)).get();
                if ((round + k) % 3 != 0)
                    want.add(n);
            }
            for (int i = 2; i >= 0; i--)
                if ((round + i) % 3 == 0)
                    all.get(i).abortTransaction();
                else
                    all.get(i).commitTransaction();
        }
        all.forEach(Producer::close);
        List<Integer> got = new ArrayList<>();
        unblocked(topic, 1);
        records(topic, 1, COMMITTED).forEach(
            r -> got.add(Integer.valueOf(r.value())));
        Tap.equal(got, want, "the committed ones, in order");
        Tap.equal(read(topic, 1, UNCOMMITTED), numbers(0, n),
            "read_uncommitted has them all");
    }

    private static void many() throws Exception {
        int parts = 64;
        String topic = create("many", parts);
        try (Producer<String, String> p = producer("many")) {
            p.beginTransaction();
            send(p, topic, parts, 0, 1000);
            p.commitTransaction();
            p.beginTransaction();
            send(p, topic, parts, 1000, 2000);
            p.flush();
            p.abortTransaction();
            p.beginTransaction();
            send(p, topic, parts, 2000, 3000);
            p.commitTransaction();
        }
        List<Integer> want = numbers(0, 1000);
        want.addAll(numbers(2000, 3000));
        Tap.equal(settled(topic, parts), want,
            "64 partitions in a transaction");
        Tap.equal(ends(topic, parts, COMMITTED), 3000L + 3 * parts,
            "three markers in each");
    }

    // -- offsets

    private static long committed(String group, String topic, int parts) {
        try (Consumer<String, String> c = consumer(COMMITTED, "group.id",
                group)) {
            return c.committed(partitions(topic, parts)).values().stream()
                .mapToLong(o -> o == null ? 0 : o.offset()).sum();
        }
    }

    private static Map<TopicPartition, OffsetAndMetadata> next(
        ConsumerRecords<String, String> batch) {
        Map<TopicPartition, OffsetAndMetadata> at = new HashMap<>();
        for (ConsumerRecord<String, String> r : batch)
            at.put(new TopicPartition(r.topic(), r.partition()),
                new OffsetAndMetadata(r.offset() + 1));
        return at;
    }

    private static void rewind(Consumer<String, String> c) {
        c.committed(c.assignment()).forEach((part, at) ->
            c.seek(part, at == null ? 0 : at.offset()));
    }

    /** Copies all of source to sink, group offsets and all; aborts at times. */
    private static void copy(String source, String sink, String id, int count)
        throws Exception {
        try (Producer<String, String> p = producer(id);
                Consumer<String, String> c = consumer(COMMITTED, "group.id",
                    name(id), "max.poll.records", "23")) {
            c.subscribe(List.of(source));
            int[] done = {0, 0};
            Tap.within(() -> {
                ConsumerRecords<String, String> batch = c.poll(
                    Duration.ofMillis(100));
                if (batch.isEmpty())
                    return done[0] >= count;
                p.beginTransaction();
                for (ConsumerRecord<String, String> r : batch)
                    p.send(new ProducerRecord<>(sink, r.partition(), null,
                        r.value()));
                p.sendOffsetsToTransaction(next(batch), c.groupMetadata());
                if (++done[1] % 3 == 0) {
                    p.abortTransaction();
                    rewind(c);
                } else {
                    p.commitTransaction();
                    done[0] += batch.count();
                }
                return done[0] >= count;
            });
            Tap.ok(done[1] > 5, "in several transactions: " + done[1]);
        }
    }

    private static void offsets() throws Exception {
        String source = create("offsets", 2);
        String sink = create("offsets-sink", 2);
        try (Producer<String, String> p = plain()) {
            send(p, source, 2, 0, 300);
        }
        copy(source, sink, "offsets", 300);
        Tap.equal(settled(sink, 2), numbers(0, 300),
            "consume, transform, produce: each exactly once");
        Tap.equal(committed(name("offsets"), source, 2), 300L,
            "the group's offsets were committed with them");
        pending(source);
    }

    /** Offsets of an open transaction hide; nobody may read older ones. */
    private static void pending(String topic) {
        String group = name("pending");
        TopicPartition part = new TopicPartition(topic, 0);
        try (Producer<String, String> p = producer("pending");
                Consumer<String, String> c = consumer(COMMITTED, "group.id",
                    group)) {
            c.commitSync(Map.of(part, new OffsetAndMetadata(5)));
            p.beginTransaction();
            p.sendOffsetsToTransaction(Map.of(part, new OffsetAndMetadata(9,
                "note")), new ConsumerGroupMetadata(group));
            Tap.fails(TimeoutException.class, () -> c.committed(Set.of(part),
                Duration.ofMillis(800)),
                "while offsets are pending none are told");
            p.abortTransaction();
            Tap.equal(c.committed(Set.of(part)).get(part).offset(), 5L,
                "after an abort the old one holds");
            p.beginTransaction();
            p.sendOffsetsToTransaction(Map.of(part, new OffsetAndMetadata(9,
                "note")), new ConsumerGroupMetadata(group));
            p.commitTransaction();
            Tap.equal(c.committed(Set.of(part)).get(part),
                new OffsetAndMetadata(9, "note"),
                "after a commit the new one, with its metadata");
        }
    }

    // -- fencing and timeouts

    private static void fencing() throws Exception {
        String topic = create("fencing", 1);
        Producer<String, String> old = producer("fencing");
        old.beginTransaction();
        send(old, topic, 1, 0, 10);
        old.flush();
        try (Producer<String, String> young = producer("fencing")) {
            Tap.ok(unblocked(topic, 1),
                "a second producer of the id aborts what the first began");
            Tap.fails(KafkaException.class, () -> {
                old.send(new ProducerRecord<>(topic, 0, null, "10")).get();
                old.commitTransaction();
            }, "the first cannot go on");
            young.beginTransaction();
            send(young, topic, 1, 20, 30);
            young.commitTransaction();
        }
        old.close(Duration.ZERO);
        Tap.equal(settled(topic, 1), numbers(20, 30),
            "only the second one's records are there");

        Producer<String, String> idle = producer("fencing");
        idle.beginTransaction();
        send(idle, topic, 1, 30, 31);
        idle.flush();
        producer("fencing").close();
        Tap.fails(ProducerFencedException.class, idle::commitTransaction,
            "a commit by a fenced one fails");
        idle.close(Duration.ZERO);
        Tap.equal(settled(topic, 1), numbers(20, 30),
            "and commits nothing");
    }

    private static void timeout() throws Exception {
        String topic = create("timeout", 2);
        Producer<String, String> p = producer("timeout",
            "transaction.timeout.ms", "1500");
        p.beginTransaction();
        send(p, topic, 2, 0, 10);
        p.flush();
        Tap.ok(unblocked(topic, 2), "the broker aborts what takes too long");
        Tap.equal(settled(topic, 2), List.of(), "nothing is seen");
        Tap.equal(ends(topic, 2, COMMITTED), 12L, "markers were written");
        Tap.fails(KafkaException.class, p::commitTransaction,
            "a commit comes too late");
        p.close(Duration.ZERO);
        try (Producer<String, String> q = producer("timeout")) {
            q.beginTransaction();
            send(q, topic, 2, 10, 20);
            q.commitTransaction();
        }
        Tap.equal(settled(topic, 2), numbers(10, 20),
            "the next producer of the id goes on");
        Tap.fails(KafkaException.class, () -> producer("timeout-long",
            "transaction.timeout.ms", "90000000").close(),
            "a timeout over the broker's limit is refused");
    }

    // -- restarts

    private static void restart(String how) throws Exception {
        String topic = create("restart-" + how, 3);
        Producer<String, String> p = producer("restart-" + how,
            "transaction.timeout.ms", "120000");
        Producer<String, String> lost = producer("lost-" + how,
            "transaction.timeout.ms", "5000");
        p.beginTransaction();
        send(p, topic, 3, 0, 30);
        p.abortTransaction();
        p.beginTransaction();
        send(p, topic, 3, 30, 60);
        p.commitTransaction();
        p.beginTransaction();
        send(p, topic, 3, 60, 90);
        p.sendOffsetsToTransaction(Map.of(new TopicPartition(topic, 0),
            new OffsetAndMetadata(7)), new ConsumerGroupMetadata(topic));
        p.flush();
        lost.beginTransaction();
        send(lost, topic, 3, 1000, 1030);
        lost.flush();
        lost.close(Duration.ZERO);
        Tap.broker(how);
        Tap.equal(Tap.broker("again"), bootstrap,
            "the broker comes back after " + how);
        Tap.equal(read(topic, 3, COMMITTED), numbers(30, 60),
            "what was committed is there, what is open is not");
        send(p, topic, 3, 90, 120);
        p.commitTransaction();
        p.beginTransaction();
        send(p, topic, 3, 120, 150);
        p.commitTransaction();
        p.close();
        Tap.equal(committed(topic, topic, 1), 7L,
            "an open transaction goes on with its offsets");
        Tap.ok(unblocked(topic, 3),
            "one that nobody ends is aborted in time");
        Tap.equal(settled(topic, 3), numbers(30, 150),
            "each record of the others is there once");
    }

    private static void restarts() throws Exception {
        String before = bootstrap;
        bootstrap = Tap.broker("start");
        if (bootstrap == null) {
            Tap.skip("restarts", "there is no broker that may be stopped");
        } else {
            restart("halt");
            restart("kill");
            Tap.broker("end");
        }
        bootstrap = before;
    }

    // -- a bad network

    /** 40 transactions through a proxy with faults, every fourth aborted. */
    private static void through(String word, int parts, String... faults)
        throws Exception {
        String source = create(word, 1);
        String topic = create(word + "-sink", parts);
        List<String> words = new ArrayList<>(List.of("proxy", bootstrap));
        words.addAll(List.of(faults));
        String direct = bootstrap;
        bootstrap = Tap.broker(words.toArray(new String[0]));
        List<Integer> want = new ArrayList<>();
        try (Producer<String, String> p = producer(word, "linger.ms", "0",
                "retry.backoff.ms", "20", "reconnect.backoff.ms", "20")) {
            for (int t = 0; t < 40; t++) {
                p.beginTransaction();
                send(p, topic, parts, t * 10, t * 10 + 10);
                p.sendOffsetsToTransaction(Map.of(
                    new TopicPartition(source, 0), new OffsetAndMetadata(t)),
                    new ConsumerGroupMetadata(name(word)));
                if (t % 4 == 1) {
                    p.flush();
                    p.abortTransaction();
                } else {
                    p.commitTransaction();
                    want.addAll(numbers(t * 10, t * 10 + 10));
                }
            }
        }
        bootstrap = direct;
        Tap.ok(unblocked(topic, parts), String.join(" ", faults));
        Tap.equal(settled(topic, parts), want, "each exactly once");
        Tap.equal(committed(name(word), source, 1), 39L, "the last offset");
    }

    private static int version() throws Exception {
        try (Admin admin = Admin.create(with())) {
            var level = admin.describeFeatures().featureMetadata().get()
                .finalizedFeatures().get("transaction.version");
            boolean knows = AppInfoParser.getVersion().charAt(0) >= '4';
            return level != null && level.maxVersionLevel() >= 2 && knows
                ? 2 : 1;
        }
    }

    // keys of the wire: 0 Produce, 22 InitProducerId, 24 AddPartitionsToTxn,
    // 25 AddOffsetsToTxn, 26 EndTxn, 28 TxnOffsetCommit
    private static void faults() throws Exception {
        through("lost", 3, "drop:26:3", "drop:0:7", "drop:28:5", "drop:24:4",
            "drop:25:4", "drop:22:2");
        through("repeated", 3, "repeat:26:1", "repeat:0:3", "repeat:28:2",
            "repeat:24:2", "repeat:25:2");
        // before version 2 nothing protects from a request that is so late
        if (version() >= 2)
            through("late", 3, "late:26:1:30", "late:0:2:30", "late:28:2:30");
        else
            Tap.skip("late requests", "the transactions of version 1");
    }

    public static void main(String[] args) throws Exception {
        Tap.client("Java", AppInfoParser.getVersion());
        Tap.note("transactions of version " + version());
        List<String> only = Arrays.asList(args);
        Map<String, Tap.Body> tests = new LinkedHashMap<>();
        tests.put("transactions: commit", Txn::commit);
        tests.put("transactions: abort", Txn::abort);
        tests.put("transactions: interleaved", Txn::interleaved);
        tests.put("transactions: 64 partitions", Txn::many);
        tests.put("transactions: offsets", Txn::offsets);
        tests.put("transactions: fencing", Txn::fencing);
        tests.put("transactions: timeout", Txn::timeout);
        tests.put("transactions: lost, repeated, late requests", Txn::faults);
        tests.put("transactions: broker restarted and killed", Txn::restarts);
        tests.forEach((what, body) -> {
            if (only.isEmpty() || only.contains(what.substring(14)))
                Tap.test(what, body);
        });
        Tap.done();
    }
}
