// Plugins that do what plugins must not do: each one is named, its pipeline tries again, and its neighbour does not care.

import t from 'tap'
import { until } from '../conform/context.ts'
import { range } from '../conform/broker.ts'
import { goesOn, numbered, openShop, says, schema } from './shop.ts'

const faults = `
export async function misbehave (how) {
  switch (how) {
    case 'throw': throw new Error('boom')
    case 'wait': return new Promise(() => {})
    case 'spin': for (let i = 0; ; i++) i %= 7
    case 'exit': return process.exit(7)
    case 'kill': return process.kill(process.pid, 'SIGKILL')
    case 'timer': setTimeout(() => { throw new Error('boom in a timer') }, 10); return new Promise(() => {})
    case 'rejection': void Promise.reject(new Error('boom in a promise')); return new Promise(() => {})
    case 'heap': { const kept = new Map(); for (;;) kept.set(kept.size, { text: String(kept.size) }) }
    case 'leak': { globalThis.kept = []; setInterval(() => { for (let i = 0; i < 20000; i++) globalThis.kept.push({ i, text: String(i) }) }, 5); return new Promise(() => {}) }
    case 'buffers': { globalThis.kept = []; setInterval(() => globalThis.kept.push(Buffer.alloc(4 << 20, 1)), 5); return new Promise(() => {}) }
    case 'globals': {
      Array.prototype.map = () => { throw new Error('no map') }
      JSON.stringify = () => { throw new Error('no JSON') }
      Object.prototype.toString = () => { throw new Error('no text') }
      process.env.PATH = ''
    }
  }
}
`
const options = "{ how: { type: 'string', description: 'What it does', default: '' }, at: { type: 'string', description: 'When it does it', default: '' } }"

const files = {
  'plugins/inputs/bad/faults.ts': faults,
  'plugins/inputs/bad/index.ts': `
import { fromRows } from '../../../runtime/plugin.ts'
import { misbehave } from './faults.ts'
export default {
  kind: 'input', description: 'Misbehaves', options: ${options},
  async * read ({ how, at }, { topic }) {
    if (at === 'open') await misbehave(how)
    for (let n = 0; n < 3; n++) yield { batch: fromRows(topic, [{ n }]), checkpoint: n }
    if (at === 'read') await misbehave(how)
    await new Promise(resolve => setTimeout(resolve, 1000))
  }
}`,
  'plugins/transforms/bad/faults.ts': faults,
  'plugins/transforms/bad/index.ts': `
export default {
  kind: 'transform', description: 'Misbehaves', options: ${options},
  open ({ how }) {
    if (how === 'wait') return new Promise(() => {})
    return { map (batch) {
      if (how === 'throw') throw new Error('boom')
      if (how === 'spin') for (let i = 0; ; i++) i %= 7
      return batch
    } }
  }
}`,
  'plugins/outputs/bad/faults.ts': faults,
  'plugins/outputs/bad/index.ts': `
import { misbehave } from './faults.ts'
export default {
  kind: 'output', description: 'Misbehaves', guarantee: 'at least once', options: ${options},
  async open ({ how, at }) {
    if (at === 'open') await misbehave(how)
    return {
      async write () {
        if (at === 'write') await misbehave(how)
        if (at === 'later') { await new Promise(resolve => setTimeout(resolve, 10)); await misbehave(how) }
        if (at === 'close') throw new Error('so it will be closed')
      },
      async flush () { if (at === 'flush') await misbehave(how) },
      async close () { if (at === 'close') await misbehave(how) }
    }
  }
}`,
  'schemas/calm.yaml': schema,
  'pipelines/calm.yaml': numbered('calm')
}

const input = 'input: { generate: { rate: 5, fields: { n: { counter: 0 } } } }'

function bad (topic: string, { step, config, more = '' }: Case): string {
  switch (step) {
    case 'input': return `input: { bad: ${config} }\ntopic: ${topic}\n${more}`
    case 'transform': return `${input}\ntopic: ${topic}\ntransforms: [{ bad: ${config} }]\noutputs: [{ file: { path: ${topic}.ndjson } }]\n${more}`
    case 'output': return `${input}\ntopic: ${topic}\noutputs: [{ bad: ${config}, flush: { ms: 5 } }]\n${more}`
  }
}

const limits = { silenceMsMax: 5000, openMsMax: 2000, closeMsMax: 1000, stalledMsMax: 1000, buffersBytesMax: 64 * 2 ** 20, beginMsMax: 3000, stopMsMax: 5000, growthBytesMax: 256 * 2 ** 20 }

interface Case { readonly step: 'input' | 'transform' | 'output', readonly config: string, readonly says: RegExp, readonly more?: string, /** The thread goes on. */ readonly survives?: true }

const groups: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'that fail': {
    'input-open-throws': { step: 'input', config: '{ how: throw, at: open }', says: /^input\.bad is backing_off: boom/, survives: true },
    'input-read-throws': { step: 'input', config: '{ how: throw, at: read }', says: /^input\.bad is backing_off: boom/, survives: true },
    'map-throws': { step: 'transform', config: '{ how: throw }', says: /^outputs\.file is backing_off: transforms\.bad: Mapping .* failed: boom/, survives: true },
    'open-throws': { step: 'output', config: '{ how: throw, at: open }', says: /^outputs\.bad is backing_off: boom/, survives: true },
    'write-throws': { step: 'output', config: '{ how: throw, at: write }', says: /^outputs\.bad is backing_off: boom/, survives: true },
    'flush-throws': { step: 'output', config: '{ how: throw, at: flush }', says: /^outputs\.bad is backing_off: boom/, survives: true },
    'close-throws': { step: 'output', config: '{ how: throw, at: close }', says: /^outputs\.bad is backing_off: .*boom/, survives: true }
  },
  'that wait for ever': {
    'write-waits': { step: 'output', config: '{ how: wait, at: write }', says: /^outputs\.bad is stalled: The destination has not answered for 1 s/, survives: true },
    'open-waits': { step: 'output', config: '{ how: wait, at: open }', says: /^outputs\.bad: It did not open within 2 s/ },
    'close-waits': { step: 'output', config: '{ how: wait, at: close }', says: /^outputs\.bad: It did not close within 1 s/ },
    'transform-open-waits': { step: 'transform', config: '{ how: wait }', says: /^transforms\.bad: It did not open within 2 s/ }
  },
  'that end their thread': {
    exits: { step: 'output', config: '{ how: exit, at: write }', says: /^outputs\.bad: process\.exit\(7\) was called/ },
    kills: { step: 'input', config: '{ how: kill, at: read }', says: /^input\.bad: process\.kill\(\d+\) was called/ },
    'throws-in-a-timer': { step: 'input', config: '{ how: timer, at: read }', says: /^input\.bad: boom in a timer/ },
    'rejects-later': { step: 'output', config: '{ how: rejection, at: write }', says: /^outputs\.bad: boom in a promise/ },
    'changes-globals': { step: 'output', config: '{ how: globals, at: write }', says: /outputs\.bad/ }
  },
  'that take all of their thread': {
    'map-spins': { step: 'transform', config: '{ how: spin }', says: /^transforms\.bad: transforms\.bad has kept the thread busy for \d+ s without a pause/ },
    'leaks-buffers': { step: 'input', config: '{ how: buffers, at: read }', says: /^input\.bad: Buffers of \d+ MiB are over the limit of 64 MiB/ },
    'leaks-objects': { step: 'output', config: '{ how: leak, at: write }', says: /^(?:input\.generate or )?outputs\.bad: .* filled the heap; limits\.heap_megabytes/, more: 'limits: { heap_megabytes: 64 }\n' }
  },
  'that take all of the machine': {
    'fills-its-heap': { step: 'output', config: '{ how: heap, at: write }', says: /^outputs\.bad: outputs\.bad has kept the thread busy while the process grew by \d+ MiB/ }
  }
}

for (const [name, cases] of Object.entries(groups)) {
  await t.test(`plugins ${name} are named and tried again, and a neighbour loses nothing`, async t => {
    const pipelines = Object.fromEntries(Object.entries(cases).flatMap(([id, given]) => {
      const topic = id.replaceAll('-', '_')
      return [[`pipelines/${id}.yaml`, bad(topic, given)], [`schemas/${topic}.yaml`, schema]]
    }))
    const shop = await openShop(t, { ...files, ...pipelines }, limits)
    await until(() => shop.status('calm').state === 'running', 'the neighbour runs', 40_000)
    const { since } = shop.status('calm')
    for (const [id, { says: pattern, survives = false }] of Object.entries(cases)) {
      if (survives) await says(shop, id, pattern)
      else await until(() => pattern.test(shop.status(id).lastFailure), `${id} says ${pattern}`, 40_000).catch((error: Error) => { throw new Error(`${error.message}; it says ${JSON.stringify(shop.status(id))}`) })
      t.pass(`${id} is named`)
      if (survives) t.equal(shop.status(id).lastFailure, '', 'its thread goes on')
      else await until(() => shop.status(id).restarts > 0, 'it is started again', 40_000)
    }
    await goesOn(shop, 'calm.ndjson', 100)
    t.match(shop.status('calm'), { state: 'running', restarts: 0, since, healthy: true }, 'the neighbour never stopped')
    await shop.close()
    const rows = shop.rows('calm.ndjson')
    t.strictSame(rows, range(0, rows.length), `none of ${rows.length} rows of the neighbour is lost or doubled`)
  })
}
