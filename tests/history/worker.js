// One client at work: transactions through kafkajs. As worker.py, which says
// what is expected of it: worker.js NAME BOOTSTRAP SEED
'use strict'

const { Kafka, logLevel } = require('kafkajs')

const [name, bootstrap, seed] = process.argv.slice(2)
const PARTITIONS = 4
let stopped = false
process.stdin.resume()
process.stdin.on('end', () => { stopped = true })

// A small generator with a seed (mulberry32).
let state = Number(seed) ^ name.length
function random () {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

const below = n => Math.floor(random() * n)
const tell = event => process.stdout.write(JSON.stringify(event) + '\n')
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function connect () {
  const kafka = new Kafka({
    clientId: name,
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    requestTimeout: 4000,
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1000 }
  })
  const p = kafka.producer({
    transactionalId: name,
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: 20000
  })
  await p.connect()
  return p
}

async function oneTxn (p, n) {
  const txn = { kind: 'txn', id: `${name}-${n}`, result: 'fail', sends: [] }
  const count = 1 + below(4)
  for (let i = 0; i < count; i++) {
    txn.sends.push(['t', below(PARTITIONS), `${name}-${n}-${i}`])
  }
  try {
    const t = await p.transaction()
    for (const [topic, partition, value] of txn.sends) {
      await t.send({ topic, messages: [{ partition, value }] })
    }
    if (below(10) < 3) {
      await t.abort()
    } else {
      txn.result = 'info'
      await t.commit()
      txn.result = 'ok'
    }
  } finally {
    tell(txn)
  }
}

async function main () {
  let p = null
  for (let n = 0; !stopped; n++) {
    try {
      p = p || await connect()
      await oneTxn(p, n)
    } catch (e) {
      tell({ kind: 'error', name, text: String(e).slice(0, 200) })
      if (p) await p.disconnect().catch(() => {})
      p = null
      await sleep(200)
    }
    await sleep(below(20))
  }
  process.exit(0)
}

process.on('unhandledRejection', () => {})
main()
