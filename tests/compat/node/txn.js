// Transactions of kafkajs: run by txn-kafkajs.t.
'use strict'

const { Kafka, logLevel } = require('kafkajs')
const tap = require('./tap')
const { ok, equal, name, numbers, within } = tap

const kafka = new Kafka({
  clientId: 'compat',
  brokers: [process.env.BOOTSTRAP],
  logLevel: logLevel.NOTHING
})
const admin = kafka.admin()

// -- helpers

// a topic whose partitions are all ready: see kafkajs.js
async function create (word, parts = 1) {
  const topic = name(word)
  await admin.createTopics({
    waitForLeaders: false, topics: [{ topic, numPartitions: parts }]
  })
  await within(() => admin.fetchTopicOffsets(topic).catch(() => false))
  return topic
}

async function producer (word, conf = {}) {
  const p = kafka.producer({
    transactionalId: name(word), idempotent: true, maxInFlightRequests: 1, ...conf
  })
  await p.connect()
  return p
}

const messages = (from, to, parts) => numbers(from, to).map(n => ({
  value: `${n}`, partition: n % parts
}))

let readers = 0

// What this isolation level shows when it has read that many records, and for
// a moment more. This client knows no end of a partition.
async function view (topic, readUncommitted, want) {
  const seen = []
  const c = kafka.consumer({
    groupId: `${topic}-reader-${++readers}`,
    readUncommitted,
    maxWaitTimeInMs: 100
  })
  await c.connect()
  await c.subscribe({ topic, fromBeginning: true })
  await c.run({
    eachMessage: async ({ message }) => { seen.push(Number(message.value)) }
  })
  await within(() => seen.length >= want)
  await tap.pause(300)
  await c.disconnect()
  return seen.sort((a, b) => a - b)
}

const committed = (topic, want) => view(topic, false, want)
const uncommitted = (topic, want) => view(topic, true, want)

async function groupOffset (groupId, topic) {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  return found.partitions[0].offset
}

// -- tests

async function testCommit () {
  const topic = await create('commit', 3)
  const p = await producer('commit')
  const t = await p.transaction()
  await t.send({ topic, messages: messages(0, 90, 3) })
  equal(await uncommitted(topic, 90), numbers(0, 90),
    'read_uncommitted sees an open transaction')
  equal(await committed(topic, 0), [], 'read_committed sees nothing of it')
  await t.commit()
  equal(await committed(topic, 90), numbers(0, 90),
    'after the commit it sees all')
  await p.disconnect()
}

async function testAbort () {
  const topic = await create('abort', 2)
  const p = await producer('abort')
  let t = await p.transaction()
  await t.send({ topic, messages: messages(0, 50, 2) })
  await t.abort()
  t = await p.transaction()
  await t.send({ topic, messages: messages(50, 60, 2) })
  await t.commit()
  await p.disconnect()
  equal(await committed(topic, 10), numbers(50, 60),
    'read_committed sees only what was committed')
  equal(await uncommitted(topic, 60), numbers(0, 60),
    'read_uncommitted sees all')
}

// Every third transaction is aborted and done again.
async function testOffsets () {
  const source = await create('offsets')
  const sink = await create('sink')
  const groupId = name('group')
  const plain = kafka.producer()
  await plain.connect()
  await plain.send({ topic: source, messages: messages(0, 300, 1) })
  await plain.disconnect()
  const p = await producer('offsets')
  const c = kafka.consumer({ groupId, maxWaitTimeInMs: 100 })
  let done = 0
  let tries = 0
  await c.connect()
  await c.subscribe({ topic: source, fromBeginning: true })
  await c.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, isStale }) => {
      for (let at = 0; at < batch.messages.length && !isStale();) {
        const some = batch.messages.slice(at, at + 31)
        const last = some[some.length - 1].offset
        const t = await p.transaction()
        await t.send({
          topic: sink,
          messages: some.map(m => ({ value: m.value, partition: 0 }))
        })
        await t.sendOffsets({
          consumerGroupId: groupId,
          topics: [{
            topic: source,
            partitions: [{ partition: 0, offset: `${Number(last) + 1}` }]
          }]
        })
        if (++tries % 3 === 0) {
          await t.abort()
          continue
        }
        await t.commit()
        at += some.length
        done += some.length
        resolveOffset(last)
      }
    }
  })
  await within(() => done >= 300)
  await c.disconnect()
  await p.disconnect()
  equal(await committed(sink, 300), numbers(0, 300),
    'consume, transform, produce: each exactly once')
  ok(await within(async () => await groupOffset(groupId, source) === '300'),
    "the group's offsets were committed with them")
}

async function testFencing () {
  const topic = await create('fencing')
  const old = await producer('fencing', { retry: { retries: 2 } })
  const t = await old.transaction()
  await t.send({ topic, messages: messages(1000, 1010, 1) })
  const young = await producer('fencing')
  const u = await young.transaction()
  await u.send({ topic, messages: messages(0, 10, 1) })
  const type = await tap.typeOfError(() => t.commit())
  ok(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'].includes(type),
    `a commit by the first fails: ${type}`)
  await u.commit()
  await young.disconnect()
  await old.disconnect()
  equal(await committed(topic, 10), numbers(0, 10),
    "only the second one's records are there")
}

async function testTimeout () {
  const topic = await create('timeout', 2)
  const p = await producer('timeout', {
    transactionTimeout: 1500, retry: { retries: 2 }
  })
  const t = await p.transaction()
  await t.send({ topic, messages: messages(1000, 1010, 2) })
  const plain = kafka.producer()
  await plain.connect()
  await plain.send({ topic, messages: messages(0, 10, 2) })
  await plain.disconnect()
  equal(await committed(topic, 10), numbers(0, 10),
    'the broker aborts what takes too long, and what lay behind is seen')
  ok(await tap.typeOfError(() => t.commit()) !== 'none', 'a commit is too late')
  await p.disconnect()
}

tap.client('kafkajs', require('kafkajs/package.json').version)
tap.run(admin, [
  ['transactions: commit', testCommit],
  ['transactions: abort', testAbort],
  ['transactions: offsets', testOffsets],
  ['transactions: fencing', testFencing],
  ['transactions: timeout', testTimeout]
])
