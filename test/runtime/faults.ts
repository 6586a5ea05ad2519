// Plugins that do what plugins must not do, each in a pipeline of its own, beside a neighbour that does not care.

import { until } from '../conform/context.ts'
import { range } from '../conform/broker.ts'
import { goesOn, numbered, openShop, says, schema } from './shop.ts'
import type { Test } from 'tap'

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
    }, snapshot () {
      if (how === 'state') throw new Error('boom')
      return null
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
      async own () { if (at === 'own') await misbehave(how) },
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

const limits = { silenceMsMax: 5000, openMsMax: 2000, closeMsMax: 1000, stalledMsMax: 1000, buffersBytesMax: 64 * 2 ** 20, beginMsMax: 3000, stopMsMax: 5000, growthBytesMax: 500 * 2 ** 20 }

export interface Case { readonly step: 'input' | 'transform' | 'output', readonly config: string, readonly says: RegExp, readonly more?: string, /** The thread goes on. */ readonly survives?: true }

/** Each one is named, its pipeline tries again, and the neighbour loses nothing. */
export async function checkFaults (t: Test, cases: Readonly<Record<string, Case>>): Promise<void> {
  const pipelines = Object.fromEntries(Object.entries(cases).flatMap(([id, given]) => {
    const topic = id.replaceAll('-', '_')
    return [[`pipelines/${id}.yaml`, bad(topic, given)], [`schemas/${topic}.yaml`, schema]]
  }))
  const shop = await openShop(t, { ...files, ...pipelines }, limits)
  await until(() => shop.status('calm').state === 'running', 'the neighbour runs')
  const { since } = shop.status('calm')
  for (const [id, { says: pattern, survives = false }] of Object.entries(cases)) {
    if (survives) await says(shop, id, pattern)
    else await until(() => pattern.test(shop.status(id).lastFailure), `${id} says ${pattern}`).catch((error: Error) => { throw new Error(`${error.message}; it says ${JSON.stringify(shop.status(id))}`) })
    t.pass(`${id} is named`)
    if (survives) t.equal(shop.status(id).lastFailure, '', `the thread of ${id} goes on`)
    else {
      await until(() => shop.status(id).restarts > 0, 'it is started again')
      // It has been seen; the others get the machine.
      await shop.supervisor.pause(id)
    }
  }
  await goesOn(shop, 'calm.ndjson', 100)
  t.match(shop.status('calm'), { state: 'running', restarts: 0, since, healthy: true }, 'the neighbour never stopped')
  await shop.close()
  const rows = shop.rows('calm.ndjson')
  t.strictSame(rows, range(0, rows.length), `none of ${rows.length} rows of the neighbour is lost or doubled`)
}
