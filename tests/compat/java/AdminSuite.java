import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** All that an administrator asks for, by the Java client: run by admin.t. */
public final class AdminSuite {
    private static final String PREFIX = System.getenv("TOPIC");
    private static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
    private static Admin admin;
    private static String node;

    private AdminSuite() {}

    private static String name(String word) {
        return PREFIX + "-" + word;
    }

    private static Properties properties(String... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", BOOTSTRAP);
        for (int i = 0; i < pairs.length; i += 2)
            p.put(pairs[i], pairs[i + 1]);
        return p;
    }

    // -- helpers

    /** What Kafka says a moment after its answer is waited for. */
    private static boolean sees(java.util.concurrent.Callable<Boolean> what) {
        return Tap.within(() -> {
            try {
                return what.call();
            } catch (Exception e) {
                return false;
            }
        });
    }

    private static NewTopic topic(String name, int partitions,
            String... configs) {
        NewTopic t = new NewTopic(name, partitions, (short) 1);
        Map<String, String> map = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2)
            map.put(configs[i], configs[i + 1]);
        return t.configs(map);
    }

    private static Uuid create(String name, int partitions,
            String... configs) throws Exception {
        Uuid id = admin.createTopics(List.of(topic(name, partitions,
            configs))).topicId(name).get();
        Tap.ok(sees(() -> admin.describeTopics(List.of(name))
            .allTopicNames().get().get(name).partitions().size()
            == partitions), "topic " + name + " is there");
        return id;
    }

    private static void refused(Class<?> kind, NewTopic t, String what) {
        Tap.fails(kind, () -> admin.createTopics(List.of(t)).all().get(),
            what);
    }

    private static ConfigResource of(ConfigResource.Type type, String name) {
        return new ConfigResource(type, name);
    }

    private static ConfigResource ofTopic(String name) {
        return of(ConfigResource.Type.TOPIC, name);
    }

    private static Config config(ConfigResource r) throws Exception {
        return admin.describeConfigs(List.of(r)).all().get().get(r);
    }

    private static boolean shows(ConfigResource r, String key, String value) {
        return sees(() -> value.equals(config(r).get(key).value()));
    }

    private static void alter(ConfigResource r, String key, String value,
            AlterConfigOp.OpType op) throws Exception {
        admin.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(
            new ConfigEntry(key, value), op)))).all().get();
    }

    private static void set(ConfigResource r, String key, String value)
            throws Exception {
        alter(r, key, value, AlterConfigOp.OpType.SET);
    }

    private static void unsettable(Class<?> kind, ConfigResource r,
            String key, String value) {
        Tap.fails(kind, () -> set(r, key, value),
            key + "=" + value + " is refused");
    }

    private static void produce(String topic, int records, int bytes,
            String... more) throws Exception {
        Properties p = properties(more);
        p.put("key.serializer", ByteArraySerializer.class.getName());
        p.put("value.serializer", ByteArraySerializer.class.getName());
        try (var producer = new KafkaProducer<byte[], byte[]>(p)) {
            for (int i = 0; i < records; i++)
                producer.send(new ProducerRecord<>(topic, 0, null,
                    new byte[bytes])).get();
        }
    }

    // -- the tests

    private static void cluster() throws Exception {
        var about = admin.describeCluster(new DescribeClusterOptions()
            .includeAuthorizedOperations(true));
        node = about.controller().get().idString();
        Tap.equal(about.nodes().get().size(), 1, "one node");
        Tap.equal(about.clusterId().get(),
            admin.describeCluster().clusterId().get(), "a stable cluster id");
        Tap.ok(about.authorizedOperations().get().containsAll(Set.of(
            AclOperation.CREATE, AclOperation.ALTER, AclOperation.DESCRIBE,
            AclOperation.IDEMPOTENT_WRITE)), "one may do anything");
        Tap.equal(admin.describeCluster().authorizedOperations().get(), null,
            "which is told when asked for");
    }

    private static void creation() throws Exception {
        String a = name("made");
        Uuid id = create(a, 3, "retention.ms", "3600000");
        var about = admin.createTopics(List.of(topic(name("dry"), 2,
            "cleanup.policy", "compact")),
            new CreateTopicsOptions().validateOnly(true));
        Tap.equal(about.numPartitions(name("dry")).get(), 2,
            "a creation is tried");
        Tap.equal(about.config(name("dry")).get().get("cleanup.policy")
            .value(), "compact", "with its settings");
        Tap.ok(!admin.listTopics().names().get().contains(name("dry")),
            "and is not done");
        Tap.ok(!id.equals(Uuid.ZERO_UUID), "it has an id");
        refused(TopicExistsException.class, topic(a, 3), "it exists");
        refused(InvalidTopicException.class, topic("a/b", 1), "no name");
        refused(InvalidPartitionsException.class, topic(name("x"), 0),
            "no partitions");
        refused(InvalidReplicationFactorException.class,
            new NewTopic(name("x"), 1, (short) 0), "no replicas");
        refused(InvalidReplicaAssignmentException.class,
            new NewTopic(name("x"), Map.of(0, List.of(99))), "no such node");
        refused(InvalidReplicaAssignmentException.class, new NewTopic(
            name("x"), Map.of(1, List.of(Integer.parseInt(node)))),
            "partitions begin with 0");
        Uuid placed = admin.createTopics(List.of(new NewTopic(name("placed"),
            Map.of(0, List.of(Integer.parseInt(node)), 1,
                List.of(Integer.parseInt(node)))))).topicId(name("placed"))
            .get();
        Tap.ok(placed != null, "partitions are placed here");
        for (String[] bad : new String[][] {
                {"no.such.config", "1"}, {"retention.ms", "soon"},
                {"retention.ms", "-2"}, {"cleanup.policy", "burn"},
                {"max.message.bytes", "-1"}, {"segment.bytes", "1"},
                {"message.timestamp.type", "Never"},
                {"min.insync.replicas", "0"}, {"preallocate", "perhaps"},
                {"min.cleanable.dirty.ratio", "1.5"},
                {"compression.type", "rar"}, {"compression.gzip.level", "0"},
                {"compression.lz4.level", "18"},
                {"leader.replication.throttled.replicas", "all"},
                {"remote.storage.enable", "true"}})
            refused(InvalidConfigurationException.class,
                topic(name("x"), 1, bad), bad[0] + "=" + bad[1]);
        refused(InvalidConfigurationException.class, topic(name("x"), 1,
            "min.compaction.lag.ms", "2000", "max.compaction.lag.ms", "1000"),
            "settings that contradict each other");
        Tap.ok(!admin.listTopics().names().get().contains(name("x")),
            "nothing of it was made");
        create(name("all"), 1, "cleanup.policy", "compact,delete",
            "compression.type", "gzip", "compression.gzip.level", "-1",
            "leader.replication.throttled.replicas", "*",
            "follower.replication.throttled.replicas", "0:1,1:1",
            "min.cleanable.dirty.ratio", "0.25", "segment.jitter.ms", "10",
            "unclean.leader.election.enable", "TRUE");
    }

    private static void growth() throws Exception {
        String a = name("grows");
        create(a, 2);
        admin.createPartitions(Map.of(a, NewPartitions.increaseTo(4)),
            new CreatePartitionsOptions().validateOnly(true)).all().get();
        Tap.equal(admin.describeTopics(List.of(a)).allTopicNames().get()
            .get(a).partitions().size(), 2, "a growth is tried");
        admin.createPartitions(Map.of(a, NewPartitions.increaseTo(3,
            List.of(List.of(Integer.parseInt(node)))))).all().get();
        Tap.ok(sees(() -> admin.describeTopics(List.of(a)).allTopicNames()
            .get().get(a).partitions().size() == 3), "then done");
        Tap.fails(InvalidPartitionsException.class, () ->
            admin.createPartitions(Map.of(a, NewPartitions.increaseTo(3)))
                .all().get(), "to what it has");
        Tap.fails(InvalidReplicaAssignmentException.class, () ->
            admin.createPartitions(Map.of(a, NewPartitions.increaseTo(4,
                List.of(List.of(99))))).all().get(), "to another node");
        Tap.fails(InvalidReplicaAssignmentException.class, () ->
            admin.createPartitions(Map.of(a, NewPartitions.increaseTo(6,
                List.of(List.of(Integer.parseInt(node)))))).all().get(),
            "by more than is placed");
        Tap.fails(UnknownTopicOrPartitionException.class, () ->
            admin.createPartitions(Map.of(name("none"),
                NewPartitions.increaseTo(3))).all().get(), "of no topic");
    }

    private static void ids() throws Exception {
        String a = name("again");
        Uuid first = create(a, 1), second;
        Tap.equal(admin.describeTopics(TopicCollection.ofTopicIds(
            List.of(first))).allTopicIds().get().get(first).name(), a,
            "a topic by its id");
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(first))).all()
            .get();
        Tap.ok(sees(() -> !admin.listTopics().names().get().contains(a)),
            "is deleted by it");
        Tap.fails(UnknownTopicIdException.class, () ->
            admin.deleteTopics(TopicCollection.ofTopicIds(List.of(first)))
                .all().get(), "and is gone");
        second = create(a, 1);
        Tap.ok(!first.equals(second), "the next of the name has another");
        Tap.fails(UnknownTopicIdException.class, () ->
            admin.describeTopics(TopicCollection.ofTopicIds(List.of(first)))
                .allTopicIds().get(), "the first id means nothing now");
        Tap.fails(UnknownTopicOrPartitionException.class, () ->
            admin.deleteTopics(List.of(name("none"))).all().get(),
            "a name that was never there");
        var all = admin.describeTopics(List.of(a), new DescribeTopicsOptions()
            .includeAuthorizedOperations(true)).allTopicNames().get().get(a);
        Tap.ok(all.authorizedOperations().contains(AclOperation.READ),
            "one may do anything with a topic");
    }

    private static void trimming() throws Exception {
        String a = name("trim"), compact = name("compact");
        create(a, 1, "retention.ms", "-1");
        create(compact, 1, "cleanup.policy", "compact");
        produce(a, 10, 10);
        TopicPartition p = new TopicPartition(a, 0);
        Tap.equal(admin.deleteRecords(Map.of(p, RecordsToDelete
            .beforeOffset(4))).lowWatermarks().get(p).get().lowWatermark(),
            4L, "the log begins at 4");
        Tap.equal(admin.listOffsets(Map.of(p, OffsetSpec.earliest()))
            .partitionResult(p).get().offset(), 4L, "for readers, too");
        Tap.equal(admin.deleteRecords(Map.of(p, RecordsToDelete
            .beforeOffset(2))).lowWatermarks().get(p).get().lowWatermark(),
            4L, "it does not go back");
        Tap.fails(OffsetOutOfRangeException.class, () ->
            admin.deleteRecords(Map.of(p, RecordsToDelete.beforeOffset(11)))
                .all().get(), "nor beyond its end");
        Tap.fails(OffsetOutOfRangeException.class, () ->
            admin.deleteRecords(Map.of(p, RecordsToDelete.beforeOffset(-2)))
                .all().get(), "nor to -2");
        Tap.equal(admin.deleteRecords(Map.of(p, RecordsToDelete
            .beforeOffset(-1))).lowWatermarks().get(p).get().lowWatermark(),
            10L, "-1 is the high watermark");
        TopicPartition c = new TopicPartition(compact, 0);
        Tap.fails(PolicyViolationException.class, () ->
            admin.deleteRecords(Map.of(c, RecordsToDelete.beforeOffset(0)))
                .all().get(), "a compacted log has no holes");
    }

    private static void topicConfigs() throws Exception {
        String a = name("set");
        create(a, 1, "retention.ms", "1000000", "segment.bytes", "2000000");
        ConfigResource r = ofTopic(a);
        Config c = admin.describeConfigs(List.of(r),
            new DescribeConfigsOptions().includeSynonyms(true)
                .includeDocumentation(true)).all().get().get(r);
        Tap.ok(c.entries().size() >= 30, "all settings are told");
        Tap.ok(c.entries().stream().allMatch(e -> e.documentation() != null
            && e.type() != ConfigEntry.ConfigType.UNKNOWN),
            "with type and documentation");
        Tap.equal(c.get("retention.ms").source(),
            ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "set on the topic");
        Tap.equal(c.get("retention.ms").synonyms().get(0).name(),
            "retention.ms", "first of its synonyms");
        Tap.ok(c.get("segment.bytes").synonyms().size() >= 2,
            "and what would hold without it");
        Tap.equal(c.get("retention.bytes").source(),
            ConfigEntry.ConfigSource.DEFAULT_CONFIG, "a default");
        Tap.ok(c.get("max.message.bytes").synonyms().stream().anyMatch(s ->
            s.name().equals("message.max.bytes")), "by the broker's name");
        alter(r, "cleanup.policy", "compact", AlterConfigOp.OpType.APPEND);
        Tap.ok(sees(() -> new TreeSet<>(List.of(config(r)
            .get("cleanup.policy").value().split(",")))
            .equals(new TreeSet<>(Set.of("compact", "delete")))),
            "a list is appended to");
        alter(r, "cleanup.policy", "delete", AlterConfigOp.OpType.SUBTRACT);
        Tap.ok(shows(r, "cleanup.policy", "compact"), "and subtracted from");
        alter(r, "retention.ms", "", AlterConfigOp.OpType.DELETE);
        Tap.ok(shows(r, "retention.ms", "604800000"), "back to the default");
        unsettable(InvalidConfigurationException.class, r, "retention.ms",
            "x");
        unsettable(InvalidConfigurationException.class, r, "no.such", "x");
        Tap.fails(InvalidConfigurationException.class, () -> alter(r,
            "retention.ms", "5", AlterConfigOp.OpType.APPEND),
            "a number is no list");
        Tap.fails(InvalidRequestException.class, () ->
            admin.incrementalAlterConfigs(Map.of(r, List.of(
                new AlterConfigOp(new ConfigEntry("retention.ms", "5"),
                    AlterConfigOp.OpType.SET),
                new AlterConfigOp(new ConfigEntry("retention.ms", "6"),
                    AlterConfigOp.OpType.SET)))).all().get(),
            "a setting twice");
        admin.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(
            new ConfigEntry("retention.ms", "7"), AlterConfigOp.OpType.SET))),
            new AlterConfigsOptions().validateOnly(true)).all().get();
        Tap.equal(config(r).get("retention.ms").value(), "604800000",
            "a change is tried");
        unsettable(UnknownTopicOrPartitionException.class,
            ofTopic(name("none")), "retention.ms", "5");
        Tap.fails(UnknownTopicOrPartitionException.class,
            () -> config(ofTopic(name("none"))), "no topic has no settings");
    }

    private static void brokerConfigs() throws Exception {
        ConfigResource one = of(ConfigResource.Type.BROKER, node);
        ConfigResource all = of(ConfigResource.Type.BROKER, "");
        String a = name("below");
        create(a, 1);
        Config c = config(one);
        Tap.ok(c.get("node.id").isReadOnly(), "the node's id is not set");
        Tap.ok(!c.get("log.retention.ms").isReadOnly(), "retention may be");
        Tap.ok(c.get("num.partitions") != null, "partitions by default");
        set(all, "log.segment.bytes", "2097152");
        Tap.ok(shows(ofTopic(a), "segment.bytes", "2097152"),
            "what all brokers have holds for topics");
        Tap.equal(config(ofTopic(a)).get("segment.bytes").source(),
            ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG,
            "and says where it is from");
        set(one, "log.segment.bytes", "3145728");
        Tap.ok(shows(ofTopic(a), "segment.bytes", "3145728"),
            "what this one has goes before");
        Tap.equal(config(one).get("log.segment.bytes").source(),
            ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG, "it is its own");
        Tap.ok(shows(all, "log.segment.bytes", "2097152"),
            "and what all have is told");
        alter(one, "log.segment.bytes", "", AlterConfigOp.OpType.DELETE);
        alter(all, "log.segment.bytes", "", AlterConfigOp.OpType.DELETE);
        Tap.ok(shows(ofTopic(a), "segment.bytes", "1073741824"),
            "until it is taken back");
        unsettable(InvalidRequestException.class, one, "node.id", "7");
        unsettable(ApiException.class, one, "log.segment.bytes", "much");
        Tap.fails(ApiException.class, () -> config(
            of(ConfigResource.Type.BROKER, "99")), "there is no broker 99");
    }

    private static void groupConfigs() throws Exception {
        ConfigResource g = of(ConfigResource.Type.GROUP, name("group"));
        Tap.equal(config(g).get("consumer.session.timeout.ms").value(),
            "45000", "a group's default");
        set(g, "consumer.session.timeout.ms", "50000");
        Tap.ok(shows(g, "consumer.session.timeout.ms", "50000"), "is set");
        Tap.equal(config(g).get("consumer.session.timeout.ms").source(),
            ConfigEntry.ConfigSource.DYNAMIC_GROUP_CONFIG, "as the group's");
        Tap.ok(sees(() -> admin.listConfigResources(Set.of(
            ConfigResource.Type.GROUP), new ListConfigResourcesOptions())
            .all().get().contains(g)), "the group is listed");
        alter(g, "consumer.session.timeout.ms", "",
            AlterConfigOp.OpType.DELETE);
        Tap.ok(shows(g, "consumer.session.timeout.ms", "45000"),
            "and taken back");
        unsettable(InvalidConfigurationException.class, g,
            "consumer.session.timeout.ms", "1");
        unsettable(InvalidConfigurationException.class, g, "no.such", "1");
        unsettable(InvalidConfigurationException.class, g,
            "share.auto.offset.reset", "somewhere");
        var found = admin.listConfigResources().all().get();
        Tap.ok(found.contains(of(ConfigResource.Type.BROKER, node)),
            "all that has settings is listed: the broker");
        Tap.ok(found.contains(ofTopic(name("set"))), "and topics");
    }

    private static void places() throws Exception {
        String a = name("place");
        create(a, 2);
        produce(a, 100, 1000);
        var dirs = admin.describeLogDirs(List.of(Integer.parseInt(node)))
            .allDescriptions().get().get(Integer.parseInt(node));
        Tap.equal(dirs.size(), 1, "one folder of logs");
        var dir = dirs.values().iterator().next();
        Tap.equal(dir.error(), null, "which is well");
        Tap.ok(dir.totalBytes().getAsLong() >= dir.usableBytes().getAsLong()
            && dir.usableBytes().getAsLong() > 0, "with room");
        var one = dir.replicaInfos().get(new TopicPartition(a, 0));
        Tap.ok(one.size() > 100_000 && one.size() < 300_000,
            "a partition has its bytes");
        Tap.equal(one.offsetLag(), 0L, "and no lag");
        Tap.equal(dir.replicaInfos().get(new TopicPartition(a, 1)).size(), 0L,
            "the other has none");
        TopicPartition p = new TopicPartition(a, 0);
        Tap.fails(ElectionNotNeededException.class, () ->
            admin.electLeaders(ElectionType.PREFERRED, Set.of(p)).partitions()
                .get().get(p).ifPresent(AdminSuite::raise),
            "an election is not needed");
        Tap.fails(ElectionNotNeededException.class, () ->
            admin.electLeaders(ElectionType.UNCLEAN, Set.of(p)).partitions()
                .get().get(p).ifPresent(AdminSuite::raise), "nor a hard one");
        TopicPartition none = new TopicPartition(name("none"), 0);
        Tap.fails(UnknownTopicOrPartitionException.class, () ->
            admin.electLeaders(ElectionType.PREFERRED, Set.of(none))
                .partitions().get().get(none).ifPresent(AdminSuite::raise),
            "nor for what is not there");
        Tap.equal(admin.electLeaders(ElectionType.PREFERRED, null)
            .partitions().get().size(), 0, "nor for all");
        reassign(p, List.of(Integer.parseInt(node))).get();
        Tap.ok(true, "a partition is put where it is");
        Tap.fails(InvalidReplicaAssignmentException.class, () ->
            reassign(p, List.of(99)).get(), "not elsewhere");
        Tap.fails(InvalidReplicaAssignmentException.class, () ->
            reassign(p, List.of()).get(), "nor nowhere");
        Tap.fails(NoReassignmentInProgressException.class, () ->
            admin.alterPartitionReassignments(Map.of(p, Optional.empty()))
                .all().get(), "there is nothing to call off");
        Tap.equal(admin.listPartitionReassignments().reassignments().get()
            .size(), 0, "none is under way");
    }

    private static org.apache.kafka.common.KafkaFuture<Void> reassign(
            TopicPartition p, List<Integer> nodes) {
        return admin.alterPartitionReassignments(Map.of(p, Optional.of(
            new NewPartitionReassignment(nodes.isEmpty() ? List.of(-1)
                : nodes)))).all();
    }

    private static void raise(Throwable t) {
        throw (RuntimeException) t;
    }

    private static void many() throws Exception {
        List<NewTopic> list = new ArrayList<>();
        Set<String> names = new TreeSet<>();
        for (int i = 0; i < 30; i++) {
            names.add(name("many-" + i));
            list.add(topic(name("many-" + i), 3));
        }
        admin.createTopics(list).all().get();
        Tap.ok(sees(() -> admin.describeTopics(names,
            new DescribeTopicsOptions().partitionSizeLimitPerResponse(7))
            .allTopicNames().get().values().stream().allMatch(t ->
                t.partitions().size() == 3)),
            "thirty topics in pages of seven partitions");
        admin.deleteTopics(names).all().get();
    }

    // -- quotas

    private static ClientQuotaEntity entity(String... parts) {
        Map<String, String> map = new HashMap<>();
        for (int i = 0; i < parts.length; i += 2)
            map.put(parts[i], parts[i + 1]);
        return new ClientQuotaEntity(map);
    }

    private static void quota(ClientQuotaEntity e, String key, Double value)
            throws Exception {
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(e, List.of(
            new ClientQuotaAlteration.Op(key, value))))).all().get();
    }

    private static Map<ClientQuotaEntity, Map<String, Double>> quotas(
            ClientQuotaFilterComponent... filter) throws Exception {
        return admin.describeClientQuotas(ClientQuotaFilter.contains(
            List.of(filter))).entities().get();
    }

    private static void badQuota(ClientQuotaEntity e, String key, Double v,
            String what) {
        Tap.fails(InvalidRequestException.class, () -> quota(e, key, v),
            what);
    }

    private static void clientQuotas() throws Exception {
        String user = name("user"), client = name("client");
        var both = entity("user", user, "client-id", client);
        var some = entity("user", user);
        var byDefault = entity("user", user, "client-id", null);
        quota(both, "producer_byte_rate", 1000.0);
        quota(some, "consumer_byte_rate", 2000.0);
        quota(some, "request_percentage", 12.5);
        quota(byDefault, "controller_mutation_rate", 0.5);
        quota(entity("ip", "10.1.2.3"), "connection_creation_rate", 20.0);
        var exact = ClientQuotaFilterComponent.ofEntity("user", user);
        Tap.ok(sees(() -> quotas(exact).size() == 3), "all of a user");
        Tap.equal(quotas(exact).get(some), Map.of("consumer_byte_rate",
            2000.0, "request_percentage", 12.5), "with their values");
        Tap.equal(admin.describeClientQuotas(ClientQuotaFilter.containsOnly(
            List.of(exact))).entities().get().keySet(), Set.of(some),
            "those of the user alone");
        Tap.equal(quotas(exact, ClientQuotaFilterComponent
            .ofDefaultEntity("client-id")).keySet(), Set.of(byDefault),
            "those of the default client");
        Tap.equal(quotas(exact, ClientQuotaFilterComponent
            .ofEntityType("client-id")).size(), 2, "those of any client");
        Tap.ok(quotas(ClientQuotaFilterComponent.ofEntity("ip", "10.1.2.3"))
            .containsKey(entity("ip", "10.1.2.3")), "those of an address");
        badQuota(some, "no_such_rate", 1.0, "a key that is none");
        badQuota(some, "producer_byte_rate", 0.0, "a rate of nothing");
        badQuota(some, "producer_byte_rate", 1.5, "a fraction of a byte");
        badQuota(some, "connection_creation_rate", 1.0, "a user's address");
        badQuota(entity("ip", "10.1.2.3"), "producer_byte_rate", 1.0,
            "an address' bytes");
        badQuota(entity("ip", "10.1.2.3", "user", user),
            "connection_creation_rate", 1.0, "an address and a user");
        badQuota(entity("ip", "not an address"), "connection_creation_rate",
            1.0, "no address");
        badQuota(entity("host", "x"), "producer_byte_rate", 1.0,
            "an entity of no type");
        Tap.fails(UnsupportedVersionException.class, () -> quotas(
            ClientQuotaFilterComponent.ofEntity("host", "x")),
            "and a filter for it");
        for (var e : quotas(exact).entrySet())
            for (String key : e.getValue().keySet())
                quota(e.getKey(), key, null);
        quota(entity("ip", "10.1.2.3"), "connection_creation_rate", null);
        Tap.ok(sees(() -> quotas(exact).isEmpty()), "all are taken back");
    }

    private static long millis(Tap.Body body) throws Exception {
        long begin = System.nanoTime();
        body.run();
        return (System.nanoTime() - begin) / 1_000_000;
    }

    private static void throttled() throws Exception {
        String a = name("slow"), client = name("slow-client");
        var e = entity("client-id", client);
        create(a, 1);
        /* Ten seconds' worth may be sent at once, the rest at the rate. */
        quota(e, "producer_byte_rate", 50_000.0);
        sees(() -> !quotas(ClientQuotaFilterComponent.ofEntity("client-id",
            client)).isEmpty());
        long ms = millis(() -> produce(a, 14, 50_000, "client.id", client));
        Tap.ok(ms > 1500, "a producer waits: " + ms + " ms");
        quota(e, "producer_byte_rate", null);
        quota(e, "consumer_byte_rate", 50_000.0);
        Properties p = properties("client.id", client, "group.id",
            name("readers"), "auto.offset.reset", "earliest",
            "max.partition.fetch.bytes", "60000");
        p.put("key.deserializer", StringDeserializer.class.getName());
        p.put("value.deserializer", StringDeserializer.class.getName());
        int[] got = {0};
        ms = millis(() -> {
            try (var consumer = new KafkaConsumer<String, String>(p)) {
                consumer.assign(List.of(new TopicPartition(a, 0)));
                long end = System.nanoTime() + 60_000_000_000L;
                while (got[0] < 14 && System.nanoTime() < end)
                    got[0] += consumer.poll(Duration.ofMillis(500)).count();
            }
        });
        Tap.equal(got[0], 14, "a consumer reads all");
        Tap.ok(ms > 1500, "and waits: " + ms + " ms");
        quota(e, "consumer_byte_rate", null);
    }

    private static void mutations() throws Exception {
        String client = name("maker");
        var e = entity("client-id", client);
        quota(e, "controller_mutation_rate", 1.0);
        try (Admin maker = Admin.create(properties("client.id", client))) {
            var once = new CreateTopicsOptions().retryOnQuotaViolation(false);
            Tap.ok(sees(() -> {
                try {
                    maker.createTopics(List.of(topic(name("q" +
                        System.nanoTime()), 8)), once).all().get();
                    return false;
                } catch (ExecutionException x) {
                    return x.getCause()
                        instanceof ThrottlingQuotaExceededException
                        && ((ThrottlingQuotaExceededException) x.getCause())
                            .throttleTimeMs() > 0;
                }
            }), "who makes too much at once is told so");
        }
        quota(e, "controller_mutation_rate", null);
    }

    private static void cleanup() throws Exception {
        Tap.ok(sees(() -> {
            Collection<String> mine = new ArrayList<>();
            for (String t : admin.listTopics().names().get())
                if (t.startsWith(PREFIX))
                    mine.add(t);
            if (!mine.isEmpty())
                admin.deleteTopics(mine).all().get();
            return mine.isEmpty();
        }), "all is deleted");
    }

    public static void main(String[] args) throws Exception {
        Tap.client("Java", AppInfoParser.getVersion());
        admin = Admin.create(properties("request.timeout.ms", "20000",
            "default.api.timeout.ms", "30000"));
        Tap.test("cluster", AdminSuite::cluster);
        Tap.test("creation", AdminSuite::creation);
        Tap.test("growth", AdminSuite::growth);
        Tap.test("topic ids", AdminSuite::ids);
        Tap.test("trimming", AdminSuite::trimming);
        Tap.test("topic configs", AdminSuite::topicConfigs);
        Tap.test("broker configs", AdminSuite::brokerConfigs);
        Tap.test("group configs", AdminSuite::groupConfigs);
        Tap.test("places", AdminSuite::places);
        Tap.test("many topics", AdminSuite::many);
        Tap.test("client quotas", AdminSuite::clientQuotas);
        Tap.test("throttled", AdminSuite::throttled);
        Tap.test("mutations", AdminSuite::mutations);
        Tap.test("cleanup", AdminSuite::cleanup);
        admin.close();
        Tap.done();
    }
}
