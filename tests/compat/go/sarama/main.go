// The suite of sarama: run by sarama.t.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"penstock/compat/tap"
)

var admin sarama.ClusterAdmin

func config(change ...func(*sarama.Config)) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Retry.Backoff = 20 * time.Millisecond
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	c.Consumer.Group.Rebalance.Retry.Backoff = 50 * time.Millisecond
	c.Metadata.RefreshFrequency = time.Second
	for _, f := range change {
		f(c)
	}
	return c
}

func client(change ...func(*sarama.Config)) sarama.Client {
	cl, err := sarama.NewClient([]string{tap.Bootstrap}, config(change...))
	tap.Must(err)
	return cl
}

func producer(change ...func(*sarama.Config)) sarama.SyncProducer {
	p, err := sarama.NewSyncProducer([]string{tap.Bootstrap},
		config(change...))
	tap.Must(err)
	return p
}

// create makes a topic whose partitions are all ready.
func create(word string, parts int32, entries map[string]*string) string {
	topic := tap.Name(word)
	tap.Must(admin.CreateTopic(topic, &sarama.TopicDetail{
		NumPartitions: parts, ReplicationFactor: 1, ConfigEntries: entries},
		false))
	cl := client()
	defer cl.Close()
	tap.Within(func() bool {
		for i := range parts {
			if _, err := cl.GetOffset(topic, i, sarama.OffsetNewest); err != nil {
				return false
			}
		}
		return true
	})
	return topic
}

func messages(topic string, parts, first, last int) []*sarama.ProducerMessage {
	all := []*sarama.ProducerMessage{}
	for n := first; n < last; n++ {
		all = append(all, &sarama.ProducerMessage{Topic: topic,
			Partition: int32(n % parts),
			Value:     sarama.StringEncoder(strconv.Itoa(n))})
	}
	return all
}

func send(p sarama.SyncProducer, topic string, parts, first, last int) {
	tap.Must(p.SendMessages(messages(topic, parts, first, last)))
}

func committed(c *sarama.Config) {
	c.Consumer.IsolationLevel = sarama.ReadCommitted
}

func uncommitted(*sarama.Config) {}

// ends gives the ends that this isolation level shows.
func ends(topic string, parts int, level func(*sarama.Config)) map[int32]int64 {
	c := config(level)
	ask := map[string]map[int32]int64{topic: {}}
	for i := range parts {
		ask[topic][int32(i)] = sarama.OffsetNewest
	}
	got, err := admin.ListOffsets(ask, &sarama.ListOffsetsOptions{
		IsolationLevel: c.Consumer.IsolationLevel})
	tap.Must(err)
	all := map[int32]int64{}
	for part, o := range got[topic] {
		if o.Err != sarama.ErrNoError {
			panic(o.Err)
		}
		all[part] = o.Offset
	}
	return all
}

func sum(all map[int32]int64) int64 {
	n := int64(0)
	for _, end := range all {
		n += end
	}
	return n
}

// read gives want records, or fewer if no more come, and looks for a moment
// whether there are more: this client shows neither markers nor ends.
func read(topic string, parts, want int,
	level func(*sarama.Config)) []*sarama.ConsumerMessage {
	c, err := sarama.NewConsumer([]string{tap.Bootstrap}, config(level))
	tap.Must(err)
	defer c.Close()
	all := make(chan *sarama.ConsumerMessage, 10000)
	for i := range parts {
		pc, err := c.ConsumePartition(topic, int32(i), sarama.OffsetOldest)
		tap.Must(err)
		defer pc.Close()
		go func() {
			for m := range pc.Messages() {
				all <- m
			}
		}()
	}
	got := []*sarama.ConsumerMessage{}
	for {
		wait := tap.Limit
		if len(got) >= want {
			wait = 300 * time.Millisecond
		}
		select {
		case m := <-all:
			got = append(got, m)
		case <-time.After(wait):
			return got
		}
	}
}

func values(all []*sarama.ConsumerMessage) []string {
	got := []string{}
	for _, m := range all {
		got = append(got, string(m.Value))
	}
	return got
}

func numbers(all []*sarama.ConsumerMessage) []int {
	return tap.Sorted(values(all))
}

func inOrder(first, last int) []string {
	all := []string{}
	for n := first; n < last; n++ {
		all = append(all, strconv.Itoa(n))
	}
	return all
}

// -- producing and consuming

func testProduce() {
	for name, acks := range map[string]sarama.RequiredAcks{
		"0": sarama.NoResponse, "1": sarama.WaitForLocal,
		"all": sarama.WaitForAll} {
		topic := create("acks-"+name, 1, nil)
		p := producer(func(c *sarama.Config) {
			c.Producer.RequiredAcks = acks
		})
		send(p, topic, 1, 0, 500)
		p.Close()
		tap.Equal(values(read(topic, 1, 500, uncommitted)), inOrder(0, 500),
			"acks="+name+": all are read in order")
	}
}

func idempotent(c *sarama.Config) {
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
}

func testIdempotent() {
	topic := create("idempotent", 1, nil)
	p := producer(idempotent, func(c *sarama.Config) {
		c.Producer.Flush.MaxMessages = 50
	})
	send(p, topic, 1, 0, 3000)
	p.Close()
	tap.Equal(values(read(topic, 1, 3000, uncommitted)), inOrder(0, 3000),
		"idempotent: each once and in order")
}

func testCodecs() {
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone,
		sarama.CompressionGZIP, sarama.CompressionSnappy,
		sarama.CompressionLZ4, sarama.CompressionZSTD} {
		topic := create("codec-"+codec.String(), 1, nil)
		p := producer(func(c *sarama.Config) {
			c.Producer.Compression = codec
		})
		send(p, topic, 1, 0, 1000)
		p.Close()
		tap.Equal(values(read(topic, 1, 1000, uncommitted)),
			inOrder(0, 1000), "consume what "+codec.String()+" wrote")
	}
}

func testFields() {
	forever := "-1"
	topic := create("fields", 1, map[string]*string{"retention.ms": &forever})
	when := time.UnixMilli(1600000000123)
	p := producer()
	tap.Must(p.SendMessages([]*sarama.ProducerMessage{
		{Topic: topic, Key: sarama.StringEncoder("k"),
			Value: sarama.StringEncoder("v"), Timestamp: when,
			Headers: []sarama.RecordHeader{{Key: []byte("a"),
				Value: []byte("1")}}},
		{Topic: topic, Key: sarama.StringEncoder("gone"),
			Timestamp: when.Add(time.Hour)}}))
	p.Close()
	got := read(topic, 1, 2, uncommitted)
	tap.Equal(fmt.Sprintf("%s=%s@%d", got[0].Key, got[0].Value,
		got[0].Timestamp.UnixMilli()), "k=v@1600000000123",
		"key, value and timestamp")
	tap.Equal(fmt.Sprintf("%s=%s", got[0].Headers[0].Key,
		got[0].Headers[0].Value), "a=1", "headers")
	tap.Ok(got[1].Value == nil, "a null value")
	cl := client()
	defer cl.Close()
	at, err := cl.GetOffset(topic, 0, 1600000000124)
	tap.Must(err)
	tap.Equal(at, int64(1), "the offset of a time")
}

// -- groups

type member struct {
	group sarama.ConsumerGroup
	stop  context.CancelFunc
	done  chan bool
	lock  *sync.Mutex
	seen  *[]string
	held  int
}

func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.held = 0
	for _, parts := range s.Claims() {
		m.held += len(parts)
	}
	return nil
}

func (m *member) Cleanup(s sarama.ConsumerGroupSession) error {
	s.Commit()
	return nil
}

func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession,
	c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case r, ok := <-c.Messages():
			if !ok {
				return nil
			}
			m.lock.Lock()
			*m.seen = append(*m.seen, string(r.Value))
			m.lock.Unlock()
			s.MarkMessage(r, "")
		case <-s.Context().Done():
			return nil
		}
	}
}

func join(group, topic string, lock *sync.Mutex, seen *[]string,
	strategy sarama.BalanceStrategy) *member {
	g, err := sarama.NewConsumerGroup([]string{tap.Bootstrap}, group,
		config(func(c *sarama.Config) {
			c.Consumer.Group.Rebalance.GroupStrategies =
				[]sarama.BalanceStrategy{strategy}
		}))
	tap.Must(err)
	ctx, stop := context.WithCancel(context.Background())
	m := &member{group: g, stop: stop, done: make(chan bool), lock: lock,
		seen: seen}
	go func() {
		for ctx.Err() == nil {
			_ = g.Consume(ctx, []string{topic}, m)
		}
		close(m.done)
	}()
	return m
}

func (m *member) leave() {
	m.stop()
	<-m.done
	m.group.Close()
}

func groups(strategy sarama.BalanceStrategy) {
	topic := create("group-"+strategy.Name(), 4, nil)
	seen := []string{}
	lock := &sync.Mutex{}
	held := func(m *member) int {
		lock.Lock()
		defer lock.Unlock()
		return m.held
	}
	has := func(n int) {
		tap.Within(func() bool {
			lock.Lock()
			defer lock.Unlock()
			return len(seen) >= n
		})
	}
	p := producer()
	defer p.Close()
	a := join(topic, topic, lock, &seen, strategy)
	tap.Ok(tap.Within(func() bool { return held(a) == 4 }),
		strategy.Name()+": one member holds all")
	send(p, topic, 4, 0, 200)
	has(200)
	b := join(topic, topic, lock, &seen, strategy)
	tap.Ok(tap.Within(func() bool { return held(a) == 2 && held(b) == 2 }),
		"two share it")
	send(p, topic, 4, 200, 400)
	has(400)
	b.leave()
	tap.Ok(tap.Within(func() bool { return held(a) == 4 }),
		"one leaves: the other holds all")
	a.leave()
	tap.Equal(tap.Sorted(seen), tap.Numbers(0, 400),
		"each record comes to one of them")
	send(p, topic, 4, 400, 450)
	c := join(topic, topic, lock, &seen, strategy)
	has(450)
	c.leave()
	tap.Equal(tap.Sorted(seen), tap.Numbers(0, 450),
		"the next resumes after the commits")
}

func testGroups() {
	groups(sarama.NewBalanceStrategyRange())
	groups(sarama.NewBalanceStrategySticky())
}

// -- admin

func testAdmin() {
	hour, other := "3600000", "777000"
	topic := create("admin", 2, map[string]*string{"retention.ms": &hour})
	listed := func() bool {
		all, err := admin.ListTopics()
		tap.Must(err)
		_, ok := all[topic]
		return ok
	}
	tap.Ok(tap.Within(listed), "list topics")
	err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1,
		ReplicationFactor: 1}, false)
	tap.Ok(errors.Is(err, sarama.ErrTopicAlreadyExists), "create it again")
	err = admin.CreateTopic("bad name!", &sarama.TopicDetail{
		NumPartitions: 1, ReplicationFactor: 1}, false)
	tap.Ok(errors.Is(err, sarama.ErrInvalidTopic), "create an invalid name")
	tap.Must(admin.CreatePartitions(topic, 3, nil, false))
	tap.Ok(tap.Within(func() bool {
		all, err := admin.DescribeTopics([]string{topic})
		return err == nil && len(all[0].Partitions) == 3
	}), "more partitions")
	retention := func() string {
		all, err := admin.DescribeConfig(sarama.ConfigResource{
			Type: sarama.TopicResource, Name: topic,
			ConfigNames: []string{"retention.ms"}})
		tap.Must(err)
		return all[0].Value
	}
	tap.Equal(retention(), hour, "describe configs")
	tap.Must(admin.IncrementalAlterConfig(sarama.TopicResource, topic,
		map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {
			Operation: sarama.IncrementalAlterConfigsOperationSet,
			Value:     &other}}, false))
	tap.Ok(tap.Within(func() bool { return retention() == other }),
		"alter configs")
	p := producer()
	send(p, topic, 1, 0, 9)
	p.Close()
	tap.Must(admin.DeleteRecords(topic, map[int32]int64{0: 4}))
	cl := client()
	defer cl.Close()
	at, err := cl.GetOffset(topic, 0, sarama.OffsetOldest)
	tap.Must(err)
	tap.Equal(at, int64(4), "delete records")
	nodes, controller, err := admin.DescribeCluster()
	tap.Must(err)
	tap.Ok(len(nodes) == 1 && nodes[0].ID() == controller,
		"the cluster has one node, which is the controller")
	group := tap.Name("admin-group")
	_, err = admin.AlterConsumerGroupOffsets(group,
		map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {
			Offset: 5, LeaderEpoch: -1}}}, nil)
	tap.Must(err)
	found, err := admin.ListConsumerGroupOffsets(group,
		map[string][]int32{topic: {0}})
	tap.Must(err)
	tap.Equal(found.GetBlock(topic, 0).Offset, int64(5),
		"alter and list offsets")
	all, err := admin.ListConsumerGroups()
	tap.Must(err)
	_, ok := all[group]
	tap.Ok(ok, "list groups")
	about, err := admin.DescribeConsumerGroups([]string{group})
	tap.Must(err)
	tap.Equal(about[0].State, "Empty", "describe the group")
	tap.Must(admin.DeleteConsumerGroup(group))
	tap.Ok(errors.Is(admin.DeleteConsumerGroup(group),
		sarama.ErrGroupIDNotFound), "delete it, and again")
	tap.Must(admin.DeleteTopic(topic))
	tap.Ok(tap.Within(func() bool { return !listed() }), "delete the topic")
}

// -- transactions

func txn(word string, change ...func(*sarama.Config)) sarama.SyncProducer {
	return producer(append(change, idempotent, func(c *sarama.Config) {
		c.Producer.Transaction.ID = tap.Name(word)
	})...)
}

func unblocked(topic string, parts int) bool {
	return tap.Within(func() bool {
		return sum(ends(topic, parts, committed)) ==
			sum(ends(topic, parts, uncommitted))
	})
}

func testCommit() {
	topic := create("commit", 3, nil)
	p := txn("commit")
	defer p.Close()
	tap.Must(p.BeginTxn())
	send(p, topic, 3, 0, 90)
	tap.Equal(numbers(read(topic, 3, 90, uncommitted)), tap.Numbers(0, 90),
		"read_uncommitted sees an open transaction")
	tap.Equal(numbers(read(topic, 3, 0, committed)), []int{},
		"read_committed sees nothing of it")
	tap.Must(p.CommitTxn())
	tap.Equal(numbers(read(topic, 3, 90, committed)), tap.Numbers(0, 90),
		"after the commit it sees all")
	unblocked(topic, 3)
	tap.Equal(sum(ends(topic, 3, committed)), int64(93),
		"each partition has one marker")
}

func testAbort() {
	topic := create("abort", 2, nil)
	p := txn("abort")
	defer p.Close()
	tap.Must(p.BeginTxn())
	send(p, topic, 2, 0, 50)
	tap.Must(p.AbortTxn())
	tap.Ok(unblocked(topic, 2), "an abort moves the stable offset")
	tap.Must(p.BeginTxn())
	send(p, topic, 2, 50, 60)
	tap.Must(p.CommitTxn())
	tap.Equal(numbers(read(topic, 2, 10, committed)), tap.Numbers(50, 60),
		"read_committed sees what is committed")
	tap.Equal(numbers(read(topic, 2, 60, uncommitted)), tap.Numbers(0, 60),
		"read_uncommitted sees all")
}

func testOffsets() {
	source, sink := create("offsets", 1, nil), create("sink", 1, nil)
	group := tap.Name("txn-group")
	plain := producer()
	send(plain, source, 1, 0, 300)
	plain.Close()
	all := read(source, 1, 300, committed)
	p := txn("offsets")
	defer p.Close()
	for at, tries := 0, 1; at < len(all); tries++ {
		some := all[at:min(at+31, len(all))]
		tap.Must(p.BeginTxn())
		for _, m := range some {
			_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: sink,
				Value: sarama.ByteEncoder(m.Value)})
			tap.Must(err)
			tap.Must(p.AddMessageToTxn(m, group, nil))
		}
		if tries%3 == 0 {
			tap.Must(p.AbortTxn())
			continue
		}
		tap.Must(p.CommitTxn())
		at += len(some)
	}
	tap.Equal(numbers(read(sink, 1, 300, committed)), tap.Numbers(0, 300),
		"transform and produce: each exactly once")
	tap.Ok(tap.Within(func() bool {
		found, err := admin.ListConsumerGroupOffsets(group,
			map[string][]int32{source: {0}})
		return err == nil && found.GetBlock(source, 0).Offset == 300
	}), "the group's offsets were committed with them")
}

func testFencing() {
	topic := create("fencing", 1, nil)
	old := txn("fencing")
	tap.Must(old.BeginTxn())
	send(old, topic, 1, 1000, 1010)
	young := txn("fencing")
	defer young.Close()
	tap.Ok(unblocked(topic, 1),
		"a second producer of the id aborts what the first began")
	tap.Must(young.BeginTxn())
	send(young, topic, 1, 0, 10)
	err := old.CommitTxn()
	tap.Ok(err != nil, fmt.Sprint("a commit by the first fails: ", err))
	tap.Must(young.CommitTxn())
	old.Close()
	tap.Equal(numbers(read(topic, 1, 10, committed)), tap.Numbers(0, 10),
		"only the second one's records are there")
}

func testTimeout() {
	topic := create("timeout", 2, nil)
	p := txn("timeout", func(c *sarama.Config) {
		c.Producer.Transaction.Timeout = 1500 * time.Millisecond
	})
	tap.Must(p.BeginTxn())
	send(p, topic, 2, 1000, 1010)
	tap.Ok(unblocked(topic, 2), "the broker aborts what takes too long")
	tap.Equal(numbers(read(topic, 2, 0, committed)), []int{},
		"nothing is seen")
	tap.Ok(p.CommitTxn() != nil, "a commit is too late")
	p.Close()
	p = txn("timeout")
	defer p.Close()
	tap.Must(p.BeginTxn())
	send(p, topic, 2, 0, 10)
	tap.Must(p.CommitTxn())
	tap.Equal(numbers(read(topic, 2, 10, committed)), tap.Numbers(0, 10),
		"the next producer of the id goes on")
}

// transactions says which of their APIs the broker does not announce.
func transactions() string {
	cl := client()
	defer cl.Close()
	b, err := cl.Controller()
	tap.Must(err)
	found, err := b.ApiVersions(&sarama.ApiVersionsRequest{})
	tap.Must(err)
	lacks := map[int16]string{24: " AddPartitionsToTxn",
		25: " AddOffsetsToTxn", 26: " EndTxn", 28: " TxnOffsetCommit"}
	for _, k := range found.ApiKeys {
		delete(lacks, k.ApiKey)
	}
	all := ""
	for _, name := range lacks {
		all += name
	}
	return all
}

func main() {
	sarama.Logger = log.New(io.Discard, "", 0)
	a, err := sarama.NewClusterAdmin([]string{tap.Bootstrap}, config())
	tap.Must(err)
	admin = a
	tests := []tap.Test{
		{Feature: "produce and consume", Run: testProduce},
		{Feature: "idempotence", Run: testIdempotent},
		{Feature: "codecs", Run: testCodecs},
		{Feature: "keys, headers, timestamps", Run: testFields},
		{Feature: "groups", Run: testGroups},
		{Feature: "admin", Run: testAdmin},
	}
	if lacks := transactions(); lacks != "" {
		tests = append(tests, tap.Test{Feature: "transactions", Run: func() {
			tap.Skip("transactions", "the broker does not announce"+lacks)
		}})
	} else {
		tests = append(tests, []tap.Test{
			{Feature: "transactions: commit", Run: testCommit},
			{Feature: "transactions: abort", Run: testAbort},
			{Feature: "transactions: offsets", Run: testOffsets},
			{Feature: "transactions: fencing", Run: testFencing},
			{Feature: "transactions: timeout", Run: testTimeout},
		}...)
	}
	tap.Run("sarama", tap.Version("github.com/IBM/sarama"), tests)
}
