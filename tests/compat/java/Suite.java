import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** The Java client against a broker: run by java.t. */
public final class Suite {
    private static final String PREFIX = System.getenv("TOPIC");
    private static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
    private static Admin admin;

    private Suite() {}

    // -- helpers

    private static String name(String word) {
        return PREFIX + "-" + word;
    }

    private static Properties with(String... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", BOOTSTRAP);
        for (int i = 0; i < pairs.length; i += 2)
            p.put(pairs[i], pairs[i + 1]);
        return p;
    }

    private static Producer<String, String> producer(String... pairs) {
        return new KafkaProducer<>(with(pairs), new StringSerializer(),
            new StringSerializer());
    }

    private static Consumer<String, String> consumer(String... pairs) {
        Properties p = with("auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "metadata.max.age.ms", "1000");
        p.putAll(with(pairs));
        return new KafkaConsumer<>(p, new StringDeserializer(),
            new StringDeserializer());
    }

    private static String create(String topic, int parts, String... pairs)
        throws Exception {
        Map<String, String> config = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2)
            config.put(pairs[i], pairs[i + 1]);
        NewTopic t = new NewTopic(topic, parts, (short) 1).configs(config);
        admin.createTopics(List.of(t)).all().get();
        return topic;
    }

    private static List<String> numbers(int from, int to) {
        return IntStream.range(from, to).mapToObj(Integer::toString)
            .collect(Collectors.toList());
    }

    /** Sends to partition n % parts; the offsets in the order of sending. */
    private static List<Long> send(Producer<String, String> p, String topic,
        int parts, int from, int to) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int n = from; n < to; n++)
            sent.add(p.send(new ProducerRecord<>(topic, n % parts, null,
                "" + n)));
        p.flush();
        List<Long> offsets = new ArrayList<>();
        for (Future<RecordMetadata> f : sent)
            offsets.add(f.get().offset());
        return offsets;
    }

    private static List<Long> longs(int from, int to) {
        return IntStream.range(from, to).mapToObj(Long::valueOf)
            .collect(Collectors.toList());
    }

    private static List<ConsumerRecord<String, String>> read(
        Consumer<String, String> c, int count) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        Tap.within(() -> {
            c.poll(Duration.ofMillis(200)).forEach(got::add);
            return got.size() >= count;
        });
        return got;
    }

    private static List<ConsumerRecord<String, String>> readAll(String topic,
        int count) {
        try (Consumer<String, String> c = consumer()) {
            TopicPartition part = new TopicPartition(topic, 0);
            c.assign(List.of(part));
            c.seekToBeginning(List.of(part));
            return read(c, count);
        }
    }

    private static List<String> values(
        Collection<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value)
            .collect(Collectors.toList());
    }

    // -- producing and consuming

    private static void idempotent() throws Exception {
        String topic = create(name("idempotent"), 1);
        try (Producer<String, String> p = producer("batch.size", "200",
                "linger.ms", "0")) {
            Tap.equal(send(p, topic, 1, 0, 5000), longs(0, 5000),
                "idempotent by default: offsets in order");
        }
        Tap.equal(values(readAll(topic, 5000)), numbers(0, 5000),
            "each once and in order");
    }

    private static void acks() throws Exception {
        for (String acks : List.of("0", "1", "all")) {
            String topic = create(name("acks-" + acks), 1);
            // acks=0 does not hear that a new partition is not ready yet
            try (Producer<String, String> p = producer()) {
                send(p, topic, 1, 0, 1);
            }
            try (Producer<String, String> p = producer("acks", acks,
                    "enable.idempotence", "false")) {
                send(p, topic, 1, 1, 500);
            }
            Tap.equal(values(readAll(topic, 500)), numbers(0, 500),
                "acks=" + acks + ": all are read in order");
        }
    }

    private static void codecs() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = create(name(codec), 1);
            try (Producer<String, String> p = producer("compression.type",
                    codec, "linger.ms", "100")) {
                Tap.equal(send(p, topic, 1, 0, 1000), longs(0, 1000),
                    "produce with " + codec);
            }
            Tap.equal(values(readAll(topic, 1000)), numbers(0, 1000),
                "consume what " + codec + " wrote");
        }
    }

    private static void fields() throws Exception {
        String topic = create(name("fields"), 1, "retention.ms", "-1");
        try (Producer<String, String> p = producer()) {
            ProducerRecord<String, String> r = new ProducerRecord<>(topic, 0,
                1600000000123L, "key", "grün");
            r.headers().add("h", "one".getBytes(StandardCharsets.UTF_8));
            r.headers().add("h", null);
            p.send(r).get();
            p.send(new ProducerRecord<>(topic, 0, null, null)).get();
            p.send(new ProducerRecord<>(topic, 0, "", "")).get();
        }
        List<ConsumerRecord<String, String>> got = readAll(topic, 3);
        ConsumerRecord<String, String> one = got.get(0);
        Tap.equal(one.key() + "=" + one.value(), "key=grün", "key and value");
        Tap.equal(one.timestamp(), 1600000000123L, "timestamp");
        Header[] h = one.headers().toArray();
        Tap.ok(h.length == 2 && h[0].key().equals("h") &&
            new String(h[0].value(), StandardCharsets.UTF_8).equals("one") &&
            h[1].value() == null, "headers");
        Tap.ok(one.leaderEpoch().isPresent(), "a leader epoch is told");
        Tap.ok(got.get(1).key() == null && got.get(1).value() == null,
            "null key and value");
        Tap.ok("".equals(got.get(2).key()) && "".equals(got.get(2).value()),
            "empty key and value");
    }

    private static void offsets() throws Exception {
        String topic = create(name("offsets"), 1, "retention.ms", "-1");
        TopicPartition part = new TopicPartition(topic, 0);
        long base = 1600000000000L;
        try (Producer<String, String> p = producer("linger.ms", "300",
                "compression.type", "zstd")) {
            for (int i = 0; i < 50; i++)
                p.send(new ProducerRecord<>(topic, 0, base + (i == 30 ? 999000
                    : i * 1000), null, "" + i));
        }
        try (Consumer<String, String> c = consumer()) {
            Tap.equal(c.beginningOffsets(Set.of(part)).get(part), 0L,
                "the beginning");
            Tap.equal(c.endOffsets(Set.of(part)).get(part), 50L, "the end");
            OffsetAndTimestamp at = c.offsetsForTimes(
                Map.of(part, base + 20500)).get(part);
            Tap.equal(at.offset() + "@" + at.timestamp(),
                "21@" + (base + 21000), "the offset of a time");
            Tap.equal(c.offsetsForTimes(Map.of(part, base + 999001)).get(part),
                null, "no offset of a later time");
            c.assign(List.of(part));
            c.seek(part, 33);
            Tap.equal(values(read(c, 17)), numbers(33, 50),
                "from the middle of a batch");
            c.seek(part, 7);
            Tap.equal(read(c, 1).get(0).offset(), 7L, "seek");
        }
        Tap.equal(offset(part, OffsetSpec.earliest()).offset(), 0L,
            "listOffsets: earliest");
        Tap.equal(offset(part, OffsetSpec.latest()).offset(), 50L, "latest");
        ListOffsetsResult.ListOffsetsResultInfo max = offset(part,
            OffsetSpec.maxTimestamp());
        Tap.equal(max.offset() + "@" + max.timestamp(),
            "30@" + (base + 999000), "max timestamp, inside a batch");
        Tap.equal(offset(part, OffsetSpec.forTimestamp(base + 40000)).offset(),
            30L, "the first that is not older than a time");
    }

    private static ListOffsetsResult.ListOffsetsResultInfo offset(
        TopicPartition part, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(part, spec)).partitionResult(part)
            .get();
    }

    private static void errors() throws Exception {
        String topic = create(name("errors"), 1);
        try (Producer<String, String> p = producer("max.request.size",
                "8000000", "max.block.ms", "10000")) {
            Tap.fails(RecordTooLargeException.class, () -> p.send(
                new ProducerRecord<>(topic, "x".repeat(2000000))).get(),
                "a record over the broker's limit");
            Tap.equal(p.send(new ProducerRecord<>(topic, "x".repeat(900000)))
                .get().offset(), 0L, "one under it");
            Tap.fails(InvalidTopicException.class, () -> p.send(
                new ProducerRecord<>("bad name!", "x")).get(),
                "an invalid topic name");
            Tap.equal(p.send(new ProducerRecord<>(name("auto"), "x")).get()
                .offset(), 0L, "a topic is created on first use");
        }
    }

    // -- groups

    private static final class Group {
        final String topic;
        final String[] conf;
        final List<String> seen = new ArrayList<>();

        Group(String word, String... conf) throws Exception {
            topic = create(name("group-" + word), 4);
            this.conf = conf;
        }

        Consumer<String, String> member() {
            return member(conf);
        }

        Consumer<String, String> member(String... own) {
            List<String> all = new ArrayList<>(List.of("group.id", topic));
            all.addAll(List.of(own));
            Consumer<String, String> c = consumer(
                all.toArray(new String[0]));
            c.subscribe(List.of(topic));
            return c;
        }

        @SafeVarargs
        final boolean served(java.util.function.BooleanSupplier cond,
            Consumer<String, String>... members) {
            return Tap.within(() -> {
                for (Consumer<String, String> c : members)
                    c.poll(Duration.ofMillis(50)).forEach(
                        r -> seen.add(r.value()));
                return cond.getAsBoolean();
            });
        }

        void produce(int from, int to) throws Exception {
            try (Producer<String, String> p = producer()) {
                send(p, topic, 4, from, to);
            }
        }

        void exactly(int count, String what) {
            List<Integer> got = seen.stream().map(Integer::valueOf).sorted()
                .collect(Collectors.toList());
            Tap.equal(got, IntStream.range(0, count).boxed()
                .collect(Collectors.toList()), what);
        }
    }

    private static int held(Consumer<String, String> c) {
        return c.assignment().size();
    }

    private static void group(String word, String... conf) throws Exception {
        Group g = new Group(word, conf);
        Consumer<String, String> a = g.member();
        Tap.ok(g.served(() -> held(a) == 4, a), word + ": one member has all");
        g.produce(0, 200);
        g.served(() -> g.seen.size() >= 200, a);
        a.commitSync();
        Consumer<String, String> b = g.member();
        Tap.ok(g.served(() -> held(a) == 2 && held(b) == 2, a, b),
            "two share it");
        g.produce(200, 400);
        g.served(() -> g.seen.size() >= 400, a, b);
        g.exactly(400, "each record comes to one of them");
        a.commitSync();
        b.commitSync();
        b.close();
        Tap.ok(g.served(() -> held(a) == 4, a), "one leaves: one has all");
        a.commitSync(Map.of(new TopicPartition(g.topic, 0),
            new OffsetAndMetadata(100, "noted")));
        Tap.equal(a.committed(Set.of(new TopicPartition(g.topic, 0))).values()
            .iterator().next().metadata(), "noted", "a commit with metadata");
        a.close();
        g.produce(400, 450);
        try (Consumer<String, String> c = g.member()) {
            g.served(() -> g.seen.size() >= 450, c);
            g.exactly(450, "the next one resumes after the commits");
        }
    }

    private static GroupType typeOf(Group g) {
        try {
            return admin.describeConsumerGroups(List.of(g.topic)).all().get()
                .get(g.topic).type();
        } catch (Exception e) {
            return GroupType.UNKNOWN;
        }
    }

    /** Records come, and whoever reads them commits before anybody moves. */
    @SafeVarargs
    private static void round(Group g, int to, String what,
        Consumer<String, String>... members) throws Exception {
        g.produce(to - 100, to);
        g.served(() -> g.seen.size() >= to, members);
        g.exactly(to, what);
        for (Consumer<String, String> c : members)
            c.commitSync();
    }

    /** Rolls a group from the classic protocol to the new one and back. */
    private static void groupMigrates() throws Exception {
        String strategy = "partition.assignment.strategy";
        String kinds = "org.apache.kafka.clients.consumer.";
        Group g = new Group("migrates", "group.protocol", "consumer");
        Consumer<String, String> a = g.member("heartbeat.interval.ms", "500",
            strategy, kinds + "CooperativeStickyAssignor");
        Tap.ok(g.served(() -> held(a) == 4, a), "a classic group");
        round(g, 100, "reads", a);
        Tap.equal(typeOf(g), GroupType.CLASSIC, "it says so");
        Consumer<String, String> b = g.member();
        Tap.ok(g.served(() -> held(a) == 2 && held(b) == 2, a, b),
            "a member of the new protocol joins");
        Tap.equal(typeOf(g), GroupType.CONSUMER, "the group is another");
        round(g, 200, "the two share what comes", a, b);
        a.close();
        Tap.ok(g.served(() -> held(b) == 4, b), "the classic one leaves");
        Consumer<String, String> c = g.member("heartbeat.interval.ms", "500",
            strategy, kinds + "RangeAssignor");
        Tap.ok(g.served(() -> held(b) == 2 && held(c) == 2, b, c),
            "an eager one joins");
        round(g, 300, "and they share", b, c);
        b.close();
        Tap.ok(g.served(() -> held(c) == 4 && typeOf(g) == GroupType.CLASSIC,
            c), "without the new one the group is classic again");
        round(g, 400, "and reads on", c);
        c.close();
    }

    private static void groupOfAPattern() throws Exception {
        Group g = new Group("pattern", "group.protocol", "consumer");
        Consumer<String, String> a = g.member();
        a.unsubscribe();
        a.subscribe(new SubscriptionPattern(g.topic + "(|-[xy])"));
        Tap.ok(g.served(() -> held(a) == 4, a), "a pattern of RE2");
        create(g.topic + "-x", 2);
        create(g.topic + "-z", 2);
        Tap.ok(g.served(() -> held(a) == 6, a), "follows the topics");
        admin.createPartitions(Map.of(g.topic, NewPartitions.increaseTo(7)))
            .all().get();
        Tap.ok(g.served(() -> held(a) == 9, a), "and their partitions");
        a.unsubscribe();
        a.subscribe(new SubscriptionPattern("(a"));
        Tap.fails(InvalidRegularExpression.class, () -> {
            while (true)
                a.poll(Duration.ofMillis(100));
        }, "one that is none");
        a.close();
    }

    private static void groupOfAStaticMember() throws Exception {
        Group g = new Group("static", "group.protocol", "consumer",
            "group.instance.id", "i");
        Consumer<String, String> a = g.member();
        Tap.ok(g.served(() -> held(a) == 4, a), "a static member");
        a.close();               // for a while
        Consumer<String, String> b = g.member();
        Tap.ok(g.served(() -> held(b) == 4, b), "has its place when it is back");
        Consumer<String, String> c = g.member();
        Tap.fails(UnreleasedInstanceIdException.class, () -> {
            while (true)
                c.poll(Duration.ofMillis(100));
        }, "which nobody else gets");
        c.close();
        b.close();
    }

    private static boolean hasConsumerGroups() throws Exception {
        var level = admin.describeFeatures().featureMetadata().get()
            .finalizedFeatures().get("group.version");
        return level != null && level.maxVersionLevel() >= 1;
    }

    private static void consumerGroups() throws Exception {
        if (!hasConsumerGroups()) {
            Tap.skip("group.protocol=consumer", "the broker does not have it");
            return;
        }
        group("consumer", "group.protocol", "consumer");
        groupMigrates();
        groupOfAPattern();
        groupOfAStaticMember();
    }

    private static void groupsOfEachKind() throws Exception {
        String strategy = "partition.assignment.strategy";
        String kinds = "org.apache.kafka.clients.consumer.";
        String beat = "heartbeat.interval.ms";
        group("default", beat, "500");
        group("range", beat, "500", strategy, kinds + "RangeAssignor");
        group("cooperative", beat, "500", strategy,
            kinds + "CooperativeStickyAssignor");
    }

    private static void groupAdmin() throws Exception {
        Group g = new Group("admin");
        String id = g.topic;
        TopicPartition part = new TopicPartition(g.topic, 1);
        Consumer<String, String> a = g.member();
        g.served(() -> held(a) == 4, a);
        Tap.ok(admin.listGroups().all().get().stream().anyMatch(
            l -> l.groupId().equals(id)), "list groups");
        var about = admin.describeConsumerGroups(List.of(id)).all().get()
            .get(id);
        Tap.equal(about.groupState(), GroupState.STABLE, "its state");
        Tap.equal(about.members().iterator().next().assignment()
            .topicPartitions().size(), 4, "its member's partitions");
        Tap.fails(GroupNotEmptyException.class, () ->
            admin.deleteConsumerGroups(List.of(id)).all().get(),
            "it cannot be deleted");
        a.close();
        about = admin.describeConsumerGroups(List.of(id)).all().get().get(id);
        Tap.equal(about.groupState(), GroupState.EMPTY, "then it is empty");
        admin.alterConsumerGroupOffsets(id, Map.of(part,
            new OffsetAndMetadata(42))).all().get();
        Tap.equal(admin.listConsumerGroupOffsets(id)
            .partitionsToOffsetAndMetadata().get().get(part).offset(), 42L,
            "alter and list offsets");
        admin.deleteConsumerGroupOffsets(id, Set.of(part)).all().get();
        Tap.equal(admin.listConsumerGroupOffsets(id)
            .partitionsToOffsetAndMetadata().get().get(part), null,
            "delete offsets");
        admin.alterConsumerGroupOffsets(id, Map.of(part,
            new OffsetAndMetadata(1))).all().get();
        admin.deleteConsumerGroups(List.of(id)).all().get();
        Tap.fails(GroupIdNotFoundException.class, () ->
            admin.deleteConsumerGroups(List.of(id)).all().get(),
            "delete it, and again");
    }

    // -- admin

    private static String config(String topic, String key) {
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try {
            Config c = admin.describeConfigs(List.of(r)).all().get().get(r);
            return c.get(key) == null ? null : c.get(key).value();
        } catch (Exception e) {
            return e.toString();
        }
    }

    private static int partitions(String topic) {
        try {
            return admin.describeTopics(List.of(topic)).allTopicNames().get()
                .get(topic).partitions().size();
        } catch (Exception e) {
            return 0;
        }
    }

    private static boolean listed(String topic) {
        try {
            return admin.listTopics().names().get().contains(topic);
        } catch (Exception e) {
            return false;
        }
    }

    private static void topics() throws Exception {
        String topic = create(name("admin"), 3, "retention.ms", "3600000");
        Tap.ok(Tap.within(() -> partitions(topic) == 3), "create a topic");
        Tap.ok(listed(topic), "list topics");
        Tap.fails(TopicExistsException.class, () -> create(topic, 1),
            "create it again");
        Tap.fails(InvalidTopicException.class, () -> create("bad name!", 1),
            "create an invalid name");
        admin.createTopics(List.of(new NewTopic(name("dry"), 1, (short) 1)),
            new CreateTopicsOptions().validateOnly(true)).all().get();
        Tap.ok(!listed(name("dry")), "validate only creates nothing");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5)))
            .all().get();
        Tap.ok(Tap.within(() -> partitions(topic) == 5), "more partitions");
        Tap.fails(InvalidPartitionsException.class, () ->
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2)))
                .all().get(), "fewer partitions");
        Tap.equal(config(topic, "retention.ms"), "3600000", "describe configs");
        for (String key : List.of("cleanup.policy", "retention.bytes",
                "min.compaction.lag.ms"))
            Tap.ok(config(topic, key) != null, key + " is told");
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(
            new ConfigEntry("retention.ms", "777000"),
            AlterConfigOp.OpType.SET)))).all().get();
        Tap.ok(Tap.within(() -> "777000".equals(config(topic,
            "retention.ms"))), "set a config");
        admin.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(
            new ConfigEntry("retention.ms", null),
            AlterConfigOp.OpType.DELETE)))).all().get();
        Tap.ok(Tap.within(() -> "604800000".equals(config(topic,
            "retention.ms"))), "delete it: the default is back");
        admin.deleteTopics(List.of(topic)).all().get();
        Tap.ok(Tap.within(() -> !listed(topic)), "delete the topic");
        Tap.fails(UnknownTopicOrPartitionException.class, () ->
            admin.deleteTopics(List.of(topic)).all().get(), "delete it again");
    }

    private static void cluster() throws Exception {
        Tap.equal(admin.describeCluster().nodes().get().size(), 1,
            "the cluster has one node");
        Tap.ok(admin.describeCluster().clusterId().get() != null,
            "and an id");
        Tap.equal(admin.describeCluster().controller().get().id(),
            admin.describeCluster().nodes().get().iterator().next().id(),
            "the node is the controller");
        String topic = create(name("trim"), 1);
        TopicPartition part = new TopicPartition(topic, 0);
        try (Producer<String, String> p = producer()) {
            send(p, topic, 1, 0, 20);
        }
        Tap.equal(admin.deleteRecords(Map.of(part,
            RecordsToDelete.beforeOffset(7))).lowWatermarks().get(part).get()
            .lowWatermark(), 7L, "delete records");
        Tap.equal(offset(part, OffsetSpec.earliest()).offset(), 7L,
            "the log begins there");
    }

    public static void main(String[] args) {
        Tap.client("Java", AppInfoParser.getVersion());
        admin = Admin.create(with());
        Tap.test("idempotent", Suite::idempotent);
        Tap.test("acks", Suite::acks);
        Tap.test("codecs", Suite::codecs);
        Tap.test("fields", Suite::fields);
        Tap.test("offsets", Suite::offsets);
        Tap.test("errors", Suite::errors);
        Tap.test("groups", Suite::groupsOfEachKind);
        Tap.test("consumer groups", Suite::consumerGroups);
        Tap.test("group admin", Suite::groupAdmin);
        Tap.test("topics", Suite::topics);
        Tap.test("cluster", Suite::cluster);
        admin.close();
        Tap.done();
    }
}
