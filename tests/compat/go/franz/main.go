// The suite of franz-go: run by franz-go.t.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/compat/tap"
)

var admin *kadm.Client

// within gives a context with the limit that anything may take.
func within() context.Context {
	ctx, _ := context.WithTimeout(context.Background(), tap.Limit) //nolint
	return ctx
}

func client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(tap.Bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}, opts...)...)
	tap.Must(err)
	return cl
}

// create makes a topic whose partitions are all ready.
func create(word string, parts int32, config map[string]*string) string {
	topic := tap.Name(word)
	_, err := admin.CreateTopic(within(), parts, 1, config, topic)
	tap.Must(err)
	tap.Within(func() bool {
		ends, err := admin.ListEndOffsets(within(), topic)
		return err == nil && ends.Error() == nil &&
			len(ends[topic]) == int(parts)
	})
	return topic
}

func records(topic string, parts, first, last int) []*kgo.Record {
	all := []*kgo.Record{}
	for n := first; n < last; n++ {
		all = append(all, &kgo.Record{Topic: topic,
			Partition: int32(n % parts), Value: []byte(strconv.Itoa(n))})
	}
	return all
}

func send(cl *kgo.Client, topic string, parts, first, last int) {
	tap.Must(cl.ProduceSync(within(),
		records(topic, parts, first, last)...).FirstErr())
}

// ends sums the ends of the partitions that an isolation level shows.
func ends(topic string, committed bool) int64 {
	list := admin.ListEndOffsets
	if committed {
		list = admin.ListCommittedOffsets
	}
	all, err := list(within(), topic)
	tap.Must(err)
	tap.Must(all.Error())
	sum := int64(0)
	all.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}

// read gives what lies before the ends that this isolation level shows.
func read(topic string, committed bool) []*kgo.Record {
	level, list := kgo.ReadUncommitted(), admin.ListEndOffsets
	if committed {
		level, list = kgo.ReadCommitted(), admin.ListCommittedOffsets
	}
	until, err := list(within(), topic)
	tap.Must(err)
	from, err := admin.ListStartOffsets(within(), topic)
	tap.Must(err)
	parts := map[int32]kgo.Offset{}
	until.Each(func(o kadm.ListedOffset) {
		at, _ := from.Lookup(topic, o.Partition)
		if o.Offset > at.Offset {
			parts[o.Partition] = kgo.NewOffset().At(at.Offset)
		}
	})
	got := []*kgo.Record{}
	if len(parts) == 0 {
		return got
	}
	// markers are kept to see the end
	cl := client(kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: parts}))
	defer cl.Close()
	ctx := within()
	// what is aborted is not shown: the end may be behind the last record
	for open := len(parts); open > 0 && ctx.Err() == nil; {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			end, _ := until.Lookup(topic, r.Partition)
			if r.Offset == end.Offset-1 {
				open--
			}
			if !r.Attrs.IsControl() && r.Offset < end.Offset {
				got = append(got, r)
			}
		})
	}
	return got
}

func values(rs []*kgo.Record) []string {
	all := []string{}
	for _, r := range rs {
		all = append(all, string(r.Value))
	}
	return all
}

func numbers(rs []*kgo.Record) []int {
	return tap.Sorted(values(rs))
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
	for name, acks := range map[string]kgo.Acks{"0": kgo.NoAck(),
		"1": kgo.LeaderAck(), "all": kgo.AllISRAcks()} {
		topic := create("acks-"+name, 1, nil)
		cl := client(kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
		send(cl, topic, 1, 0, 500)
		cl.Close()
		tap.Within(func() bool { return ends(topic, false) == 500 })
		tap.Equal(values(read(topic, false)), inOrder(0, 500),
			"acks="+name+": all are read in order")
	}
}

func testIdempotent() {
	topic := create("idempotent", 1, nil)
	cl := client(kgo.ProducerBatchMaxBytes(600))
	for n := 0; n < 3000; n += 1000 {
		send(cl, topic, 1, n, n+1000)
	}
	cl.Close()
	tap.Equal(values(read(topic, false)), inOrder(0, 3000),
		"idempotent by default: each once and in order")
}

func testCodecs() {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(),
		"zstd": kgo.ZstdCompression()} {
		topic := create("codec-"+name, 1, nil)
		cl := client(kgo.ProducerBatchCompression(codec),
			kgo.ProducerLinger(50*time.Millisecond))
		send(cl, topic, 1, 0, 1000)
		cl.Close()
		got := read(topic, false)
		tap.Equal(values(got), inOrder(0, 1000), "consume what "+name+
			" wrote")
		tap.Equal(got[500].Attrs.CompressionType() != 0, name != "none",
			"it was compressed")
	}
}

func testFields() {
	forever := "-1"
	topic := create("fields", 1, map[string]*string{"retention.ms": &forever})
	when := time.UnixMilli(1600000000123)
	cl := client()
	tap.Must(cl.ProduceSync(within(),
		&kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"),
			Timestamp: when, Headers: []kgo.RecordHeader{
				{Key: "a", Value: []byte("1")}, {Key: "b", Value: nil}}},
		&kgo.Record{Topic: topic, Key: []byte("gone"),
			Timestamp: when.Add(time.Hour)}).FirstErr())
	cl.Close()
	got := read(topic, false)
	tap.Equal(fmt.Sprintf("%s=%s@%d", got[0].Key, got[0].Value,
		got[0].Timestamp.UnixMilli()), "k=v@1600000000123",
		"key, value and timestamp")
	tap.Equal(fmt.Sprint(got[0].Headers), "[{a [49]} {b []}]", "headers")
	tap.Ok(got[1].Value == nil, "a null value")
	at, err := admin.ListOffsetsAfterMilli(within(), 1600000000124, topic)
	tap.Must(err)
	found, _ := at.Lookup(topic, 0)
	tap.Equal(found.Offset, int64(1), "the offset of a time")
}

// -- groups

type member struct {
	cl   *kgo.Client
	held chan int
	last int
}

// join begins a member of a group; without a session timeout, of KIP-848.
func join(group, topic string, opts ...kgo.Opt) *member {
	m := &member{held: make(chan int, 100)}
	count := map[int32]bool{}
	m.cl = client(append(opts, kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.MetadataMaxAge(time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client,
			got map[string][]int32) {
			for _, p := range got[topic] {
				count[p] = true
			}
			m.held <- len(count)
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client,
			gone map[string][]int32) {
			tap.Must(cl.CommitUncommittedOffsets(ctx))
			for _, p := range gone[topic] {
				delete(count, p)
			}
			m.held <- len(count)
		}))...)
	return m
}

func (m *member) poll(seen *[]string) {
	ctx, done := context.WithTimeout(context.Background(),
		50*time.Millisecond)
	defer done()
	m.cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
		*seen = append(*seen, string(r.Value))
	})
	for len(m.held) > 0 {
		m.last = <-m.held
	}
}

func served(seen *[]string, cond func() bool, all ...*member) bool {
	return tap.Within(func() bool {
		for _, m := range all {
			m.poll(seen)
		}
		return cond()
	})
}

func groups(kind string, opts ...kgo.Opt) {
	topic := create("group-"+kind, 4, nil)
	group := topic
	seen := []string{}
	p := client()
	defer p.Close()
	a := join(group, topic, opts...)
	tap.Ok(served(&seen, func() bool { return a.last == 4 }, a),
		kind+": one member holds all")
	send(p, topic, 4, 0, 200)
	served(&seen, func() bool { return len(seen) >= 200 }, a)
	b := join(group, topic, opts...)
	tap.Ok(served(&seen, func() bool { return a.last == 2 && b.last == 2 },
		a, b), "two share it")
	send(p, topic, 4, 200, 400)
	served(&seen, func() bool { return len(seen) >= 400 }, a, b)
	tap.Equal(tap.Sorted(seen), tap.Numbers(0, 400),
		"each record comes to one of them")
	tap.Must(b.cl.CommitUncommittedOffsets(within()))
	b.cl.Close()
	tap.Ok(served(&seen, func() bool { return a.last == 4 }, a),
		"one leaves: the other holds all")
	tap.Must(a.cl.CommitUncommittedOffsets(within()))
	a.cl.Close()
	send(p, topic, 4, 400, 450)
	c := join(group, topic, opts...)
	served(&seen, func() bool { return len(seen) >= 450 }, c)
	c.cl.Close()
	tap.Equal(tap.Sorted(seen), tap.Numbers(0, 450),
		"the next resumes after the commits")
}

func testGroups() {
	groups("cooperative", kgo.Balancers(kgo.CooperativeStickyBalancer()))
	groups("range", kgo.Balancers(kgo.RangeBalancer()))
}

// -- admin

func testAdmin() {
	hour := "3600000"
	topic := create("admin", 2, map[string]*string{"retention.ms": &hour})
	all, err := admin.ListTopics(within())
	tap.Must(err)
	tap.Ok(all.Has(topic), "list topics")
	_, err = admin.CreateTopic(within(), 1, 1, nil, topic)
	tap.Ok(errors.Is(err, kerr.TopicAlreadyExists), "create it again")
	_, err = admin.CreateTopic(within(), 1, 1, nil, "bad name!")
	tap.Ok(errors.Is(err, kerr.InvalidTopicException),
		"create an invalid name")
	_, err = admin.UpdatePartitions(within(), 3, topic)
	tap.Must(err)
	tap.Ok(tap.Within(func() bool {
		all, err := admin.ListTopics(within(), topic)
		return err == nil && len(all[topic].Partitions) == 3
	}), "more partitions")
	config := func() string {
		found, err := admin.DescribeTopicConfigs(within(), topic)
		tap.Must(err)
		for _, c := range found[0].Configs {
			if c.Key == "retention.ms" {
				return c.MaybeValue()
			}
		}
		return "none"
	}
	tap.Equal(config(), "3600000", "describe configs")
	other := "777000"
	_, err = admin.AlterTopicConfigs(within(), []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: &other}}, topic)
	tap.Must(err)
	tap.Ok(tap.Within(func() bool { return config() == other }),
		"alter configs")
	cl := client()
	send(cl, topic, 1, 0, 9)
	cl.Close()
	trim := kadm.Offsets{}
	trim.AddOffset(topic, 0, 4, -1)
	_, err = admin.DeleteRecords(within(), trim)
	tap.Must(err)
	starts, err := admin.ListStartOffsets(within(), topic)
	tap.Must(err)
	at, _ := starts.Lookup(topic, 0)
	tap.Equal(at.Offset, int64(4), "delete records")
	meta, err := admin.BrokerMetadata(within())
	tap.Must(err)
	tap.Equal(len(meta.Brokers), 1, "the cluster has one node")

	group := tap.Name("admin-group")
	_, err = admin.CommitOffsets(within(), group, trim)
	tap.Must(err)
	got, err := admin.FetchOffsets(within(), group)
	tap.Must(err)
	o, _ := got.Lookup(topic, 0)
	tap.Equal(o.At, int64(4), "commit and fetch offsets")
	listed, err := admin.ListGroups(within())
	tap.Must(err)
	tap.Ok(slices.Contains(listed.Groups(), group), "list groups")
	described, err := admin.DescribeGroups(within(), group)
	tap.Must(err)
	tap.Equal(described[group].State, "Empty", "describe the group")
	_, err = admin.DeleteGroup(within(), group)
	tap.Must(err)
	_, err = admin.DeleteGroup(within(), group)
	tap.Ok(errors.Is(err, kerr.GroupIDNotFound), "delete it, and again")
	_, err = admin.DeleteTopic(within(), topic)
	tap.Must(err)
	tap.Ok(tap.Within(func() bool {
		all, err := admin.ListTopics(within())
		return err == nil && !all.Has(topic)
	}), "delete the topic")
}

// -- transactions

func txn(word string, opts ...kgo.Opt) *kgo.Client {
	return client(append(opts, kgo.TransactionalID(tap.Name(word)))...)
}

func unblocked(topic string) bool {
	return tap.Within(func() bool {
		return ends(topic, true) == ends(topic, false)
	})
}

// settled is what is committed when all has ended: the answer to a commit or
// an abort may come before its markers are written.
func settled(topic string) []int {
	unblocked(topic)
	return numbers(read(topic, true))
}

// end commits or aborts, and flushes first.
func end(cl *kgo.Client, how kgo.TransactionEndTry) error {
	tap.Must(cl.Flush(within()))
	return cl.EndTransaction(within(), how)
}

func testCommit() {
	topic := create("commit", 3, nil)
	cl := txn("commit")
	defer cl.Close()
	tap.Must(cl.BeginTransaction())
	send(cl, topic, 3, 0, 90)
	tap.Equal(numbers(read(topic, false)), tap.Numbers(0, 90),
		"read_uncommitted sees an open transaction")
	tap.Equal(ends(topic, true), int64(0),
		"read_committed sees nothing of it")
	tap.Must(end(cl, kgo.TryCommit))
	tap.Equal(settled(topic), tap.Numbers(0, 90),
		"after the commit it sees all")
	tap.Equal(ends(topic, true), int64(93), "each partition has one marker")
}

func testAbort() {
	topic := create("abort", 2, nil)
	cl := txn("abort")
	defer cl.Close()
	tap.Must(cl.BeginTransaction())
	send(cl, topic, 2, 0, 50)
	tap.Must(end(cl, kgo.TryAbort))
	tap.Equal(settled(topic), []int{}, "read_committed sees nothing of it")
	tap.Equal(numbers(read(topic, false)), tap.Numbers(0, 50),
		"read_uncommitted does")
	for n := 50; n < 80; n += 10 {
		tap.Must(cl.BeginTransaction())
		send(cl, topic, 2, n, n+10)
		tap.Must(end(cl, n != 60))
	}
	tap.Equal(settled(topic), append(tap.Numbers(50, 60),
		tap.Numbers(70, 80)...), "what is committed next is seen")
}

func testMany() {
	topic := create("many", 64, nil)
	cl := txn("many")
	defer cl.Close()
	for n := 0; n < 3000; n += 1000 {
		tap.Must(cl.BeginTransaction())
		send(cl, topic, 64, n, n+1000)
		tap.Must(end(cl, n != 1000))
	}
	tap.Equal(settled(topic), append(tap.Numbers(0, 1000),
		tap.Numbers(2000, 3000)...), "64 partitions in a transaction")
}

func testOffsets() {
	source, sink := create("offsets", 2, nil), create("sink", 2, nil)
	group := tap.Name("txn-group")
	plain := client()
	send(plain, source, 2, 0, 300)
	plain.Close()
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(tap.Bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.TransactionalID(tap.Name("offsets")), kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(source), kgo.RequireStableFetchOffsets(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	tap.Must(err)
	done, tries := 0, 0
	tap.Within(func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		some := s.PollRecords(ctx, 31).Records()
		if len(some) == 0 {
			return done >= 300
		}
		tap.Must(s.Begin())
		for _, r := range some {
			s.Produce(within(), &kgo.Record{Topic: sink,
				Partition: r.Partition, Value: r.Value}, nil)
		}
		tries++
		ended, err := s.End(within(), tries%3 != 0)
		tap.Must(err)
		if ended {
			done += len(some)
		}
		return done >= 300
	})
	s.Close()
	tap.Equal(settled(sink), tap.Numbers(0, 300),
		"consume, transform, produce: each exactly once")
	tap.Ok(tap.Within(func() bool {
		got, err := admin.FetchOffsets(within(), group)
		tap.Must(err)
		sum := int64(0)
		got.Each(func(o kadm.OffsetResponse) { sum += o.At })
		return sum == 300
	}), "the group's offsets were committed with them")
}

func testFencing() {
	topic := create("fencing", 1, nil)
	old := txn("fencing")
	defer old.Close()
	tap.Must(old.BeginTransaction())
	send(old, topic, 1, 1000, 1010)
	young := txn("fencing")
	defer young.Close()
	tap.Must(young.BeginTransaction())
	send(young, topic, 1, 0, 10)
	err := end(old, kgo.TryCommit)
	tap.Ok(errors.Is(err, kerr.ProducerFenced) ||
		errors.Is(err, kerr.InvalidProducerEpoch),
		fmt.Sprint("a commit by the first fails: ", err))
	tap.Must(end(young, kgo.TryCommit))
	tap.Equal(settled(topic), tap.Numbers(0, 10),
		"only the second one's records are there")
}

func testTimeout() {
	topic := create("timeout", 2, nil)
	cl := txn("timeout", kgo.TransactionTimeout(1500*time.Millisecond))
	tap.Must(cl.BeginTransaction())
	send(cl, topic, 2, 1000, 1010)
	tap.Ok(unblocked(topic), "the broker aborts what takes too long")
	tap.Equal(settled(topic), []int{}, "nothing is seen")
	tap.Equal(ends(topic, true), int64(12), "markers were written")
	tap.Ok(end(cl, kgo.TryCommit) != nil, "a commit is too late")
	cl.Close()
	cl = txn("timeout")
	defer cl.Close()
	tap.Must(cl.BeginTransaction())
	send(cl, topic, 2, 0, 10)
	tap.Must(end(cl, kgo.TryCommit))
	tap.Equal(settled(topic), tap.Numbers(0, 10),
		"the next producer of the id goes on")
}

// transactions says which of their APIs the broker does not announce.
func transactions() string {
	found, err := admin.ApiVersions(within())
	tap.Must(err)
	lacks := ""
	for _, versions := range found {
		for key, name := range map[int16]string{24: "AddPartitionsToTxn",
			25: "AddOffsetsToTxn", 26: "EndTxn", 28: "TxnOffsetCommit"} {
			if _, ok := versions.KeyMaxVersion(key); !ok {
				lacks += " " + name
			}
		}
	}
	return lacks
}

func main() {
	cl := client()
	admin = kadm.NewClient(cl)
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
			{Feature: "transactions: 64 partitions", Run: testMany},
			{Feature: "transactions: offsets", Run: testOffsets},
			{Feature: "transactions: fencing", Run: testFencing},
			{Feature: "transactions: timeout", Run: testTimeout},
		}...)
	}
	tap.Run("franz-go", tap.Version("github.com/twmb/franz-go"), tests)
}
