// kafkajs against a broker: run by kafkajs.t. It has no idea of a broker's
// lowest versions and asks for what it implements itself.
'use strict'

const { Kafka, CompressionTypes, CompressionCodecs, logLevel } =
  require('kafkajs')
const tap = require('./tap')
const { ok, equal, name, numbers, within, typeOfError } = tap
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

// for topics of old timestamps, which retention would else remove
const FOREVER = [{ name: 'retention.ms', value: '-1' }]
const kafka = new Kafka({
  clientId: 'compat',
  brokers: [process.env.BOOTSTRAP],
  logLevel: logLevel.NOTHING
})
const admin = kafka.admin()

// -- helpers

// Right after its answer a broker may not know the topic everywhere. This
// client's waitForLeaders takes that for an error, and its producer sends the
// whole request again when one partition is not ready: so wait until all of
// them tell their ends.
async function create (topic, parts = 1, configEntries = []) {
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic, numPartitions: parts, configEntries }]
  })
  await within(() => admin.fetchTopicOffsets(topic).catch(() => false))
  return topic
}

async function produce (topic, messages, options = {}, conf = {}) {
  const p = kafka.producer(conf)
  await p.connect()
  const res = await p.send({ topic, messages, ...options })
  await p.disconnect()
  return res
}

// A member of a group that notes what comes; stop() leaves the group.
async function member (topic, group, seen, conf = {}) {
  const c = kafka.consumer({
    groupId: group,
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200, // disconnect() waits for the fetch under way
    ...conf
  })
  const m = { held: 0, joins: 0, client: c, stop: () => c.disconnect() }
  c.on(c.events.GROUP_JOIN, e => {
    m.joins++
    m.held = (e.payload.memberAssignment[topic] || []).length
  })
  await c.connect()
  await c.subscribe({ topic, fromBeginning: true })
  await c.run({
    eachMessage: async ({ partition, message }) => {
      seen.push({ partition, ...message })
    }
  })
  return m
}

async function readAll (topic, want) {
  const seen = []
  const m = await member(topic, `${topic}-reader`, seen)
  await within(() => seen.length >= want)
  await m.stop()
  return seen
}

const values = seen => seen.map(m => Number(m.value))
const sorted = seen => values(seen).sort((a, b) => a - b)

// -- tests

async function testProduce () {
  for (const acks of [0, 1, -1]) {
    const topic = await create(name(`acks${acks}`))
    const messages = numbers(1, 300).map(i => ({ value: `${i}` }))
    // acks=0 does not hear that a new partition is not ready yet
    const [first] = await produce(topic, [{ value: '0' }])
    equal(first.baseOffset, '0', 'the first offset')
    const [rest] = await produce(topic, messages, { acks })
    if (acks !== 0) equal(rest.baseOffset, '1', 'and the next')
    equal(values(await readAll(topic, 300)), numbers(0, 300),
      `acks=${acks}: all are read in order`)
  }
}

async function testIdempotent () {
  const topic = await create(name('idempotent'))
  const p = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await p.connect()
  for (let i = 0; i < 300; i += 10) {
    await p.send({
      topic, messages: numbers(i, i + 10).map(n => ({ value: `${n}` }))
    })
  }
  await p.disconnect()
  equal(values(await readAll(topic, 300)), numbers(0, 300),
    'idempotent: each once and in order')
}

async function testCodecs () {
  for (const codec of ['None', 'GZIP', 'Snappy']) {
    const topic = await create(name(codec))
    const messages = numbers(0, 300).map(i => ({ value: `${i}` }))
    await produce(topic, messages, { compression: CompressionTypes[codec] })
    equal(values(await readAll(topic, 300)), numbers(0, 300), codec)
  }
}

async function testFields () {
  const topic = await create(name('fields'), 1, FOREVER)
  await produce(topic, [
    {
      key: 'k',
      value: 'v',
      timestamp: '1600000000123',
      headers: { a: 'one', b: Buffer.from([0, 255]) }
    },
    { key: 'gone', value: null }
  ])
  const [one, two] = await readAll(topic, 2)
  equal([`${one.key}`, `${one.value}`, one.timestamp],
    ['k', 'v', '1600000000123'], 'key, value and timestamp')
  equal([`${one.headers.a}`, [...one.headers.b]], ['one', [0, 255]], 'headers')
  equal([`${two.key}`, two.value], ['gone', null], 'a null value')
}

async function testOffsets () {
  const topic = await create(name('offsets'), 1, FOREVER)
  await produce(topic, numbers(0, 50).map(i => ({
    value: `${i}`, timestamp: `${1600000000000 + i * 1000}`
  })))
  const [ends] = await admin.fetchTopicOffsets(topic)
  equal([ends.low, ends.high], ['0', '50'], 'the ends')
  const [at] = await admin.fetchTopicOffsetsByTimestamp(topic,
    1600000000000 + 20500)
  equal(at.offset, '21', 'the offset of a time')

  const seen = []
  const m = await member(topic, name('seek'), seen)
  await within(() => seen.length >= 50)
  m.client.seek({ topic, partition: 0, offset: '33' })
  await within(() => seen.length >= 67)
  await m.stop()
  equal(values(seen.slice(50)), numbers(33, 50),
    'seek to the middle of a batch')
}

async function testGroup () {
  const topic = await create(name('group'), 4)
  const group = name('group')
  const seen = []
  const send = (from, to) => produce(topic, numbers(from, to).map(i => ({
    value: `${i}`, partition: i % 4
  })))
  const a = await member(topic, group, seen)
  ok(await within(() => a.held === 4), 'one member holds all')
  await send(0, 200)
  await within(() => seen.length >= 200)
  const b = await member(topic, group, seen)
  ok(await within(() => a.held === 2 && b.held === 2), 'two share it')
  await send(200, 400)
  await within(() => seen.length >= 400)
  equal(sorted(seen), numbers(0, 400), 'each record comes to one of them')
  const about = await admin.describeGroups([group])
  equal([about.groups[0].state, about.groups[0].members.length],
    ['Stable', 2], 'describe the group')
  await b.stop()
  ok(await within(() => a.held === 4), 'one leaves: the other holds all')
  await a.stop()
  const [committed] = await admin.fetchOffsets({
    groupId: group, topics: [topic]
  })
  equal(committed.partitions.map(p => p.offset).sort(),
    ['100', '100', '100', '100'], 'committed offsets')
  await send(400, 450)
  const c = await member(topic, group, seen)
  await within(() => seen.length >= 450)
  equal(sorted(seen), numbers(0, 450), 'the next resumes after the commits')
  await c.stop()
  ok((await admin.listGroups()).groups.some(g => g.groupId === group),
    'list groups')
  await admin.setOffsets({
    groupId: group, topic, partitions: [{ partition: 0, offset: '7' }]
  })
  const [set] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  equal(set.partitions.find(p => p.partition === 0).offset, '7', 'set offsets')
  await admin.deleteGroups([group])
  ok(!(await admin.listGroups()).groups.some(g => g.groupId === group),
    'delete the group')
}

async function testAdmin () {
  const topic = await create(name('admin'), 2,
    [{ name: 'retention.ms', value: '3600000' }])
  const parts = async () => (await admin.fetchTopicMetadata({
    topics: [topic]
  })).topics[0].partitions.length
  ok(await within(async () => await parts() === 2), 'create a topic')
  ok((await admin.listTopics()).includes(topic), 'list topics')
  ok(!await admin.createTopics({ topics: [{ topic }] }), 'create it again')
  equal(await typeOfError(() => create('bad name!')),
    'INVALID_TOPIC_EXCEPTION', 'create an invalid name')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  ok(await within(async () => await parts() === 3), 'more partitions')
  const retention = async () => (await admin.describeConfigs({
    resources: [{ type: 2, name: topic, configNames: ['retention.ms'] }]
  })).resources[0].configEntries[0].configValue
  equal(await retention(), '3600000', 'describe configs')
  await admin.alterConfigs({
    resources: [{
      type: 2,
      name: topic,
      configEntries: [{ name: 'retention.ms', value: '777000' }]
    }]
  })
  ok(await within(async () => await retention() === '777000'),
    'alter configs')
  await produce(topic, numbers(0, 10).map(() => ({ value: 'x', partition: 0 })))
  // this client looks up the leader before it asks for the topic's metadata
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({
    topic, partitions: [{ partition: 0, offset: '4' }]
  })
  const ends = await admin.fetchTopicOffsets(topic)
  equal(ends.find(p => p.partition === 0).low, '4', 'delete records')
  const cluster = await admin.describeCluster()
  equal(cluster.brokers.length, 1, 'describe the cluster')
  await admin.deleteTopics({ topics: [topic] })
  ok(await within(async () => !(await admin.listTopics()).includes(topic)),
    'delete it')
  const hasty = kafka.admin({ retry: { retries: 0 } })
  await hasty.connect()
  equal(await typeOfError(() => hasty.deleteTopics({ topics: [topic] })),
    'UNKNOWN_TOPIC_OR_PARTITION', 'delete it again')
  await hasty.disconnect()
}

async function testAutoCreate () {
  const [res] = await produce(name('auto'), [{ value: 'x' }])
  equal(res.errorCode, 0, 'a topic is created on first use')
}

tap.client('kafkajs', require('kafkajs/package.json').version)
tap.run(admin, [
  ['produce and consume', testProduce],
  ['idempotence', testIdempotent],
  ['codecs', testCodecs],
  ['keys, headers, timestamps', testFields],
  ['offsets by number and time', testOffsets],
  ['groups', testGroup],
  ['topics created on first use', testAutoCreate],
  ['admin', testAdmin]
])
