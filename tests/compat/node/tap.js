// TAP for the suites of kafkajs, and what both need.
'use strict'

const PREFIX = process.env.TOPIC
const LIMIT = 30000

let count = 0
let failed = 0

function ok (cond, what) {
  failed += cond ? 0 : 1
  console.log(`${cond ? '' : 'not '}ok ${++count} - ${what}`)
  return cond
}

function equal (got, want, what) {
  const a = JSON.stringify(got)
  const b = JSON.stringify(want)
  if (!ok(a === b, what)) console.log(`#   got  ${a}\n#   want ${b}`)
}

// The lines that name what the checks after them are about, for the table.
const client = (what, version) => console.log(`# client: ${what} ${version}`)
const feature = what => console.log(`# feature: ${what}`)

const name = word => `${PREFIX}-${word}`
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const numbers = (from, to) =>
  Array.from({ length: to - from }, (_, i) => from + i)

async function within (cond, limit = LIMIT) {
  const end = Date.now() + limit
  while (!await cond()) {
    if (Date.now() > end) return false
    await pause(20)
  }
  return true
}

async function typeOfError (call) {
  try {
    await call()
  } catch (e) {
    // createTopics wraps the errors of its topics, a retrier its last error
    const inner = (e.errors && e.errors[0]) || e.cause || e
    return inner.type || inner.name
  }
  return 'none'
}

// Runs [feature, test] in order; one that throws fails and the next goes on.
async function run (admin, tests) {
  await admin.connect()
  for (const [what, test] of tests) {
    feature(what)
    try {
      await test()
    } catch (e) {
      ok(false, `${test.name} raised`)
      console.log(`${e.stack}`.replace(/^/gm, '#   '))
    }
  }
  await admin.disconnect()
  console.log(`1..${count}`)
  process.exit(failed ? 1 : 0)
}

module.exports = {
  client, equal, name, numbers, ok, pause, run, typeOfError, within
}
