// A context that records what a plugin does with it. Tests own its clock, its signal and its checkpoint.

import { setTimeout as sleep } from 'node:timers/promises'
import { field } from '../../runtime/schema.ts'
import { WAIT_MS_MAX } from '../waiting.ts'
import type { Context, Health, Json, Row, Services, Topic, Run } from '../../runtime/plugin.ts'
import type { Field } from '../../runtime/schema.ts'

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug'
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

export interface FakeOptions {
  readonly topic?: Topic
  /** Those that `topicNamed` finds besides `topic`. */
  readonly topics?: readonly Topic[]
  readonly checkpoint?: Json | undefined
  readonly pipeline?: string
  readonly step?: string
  /** @default the current folder */
  readonly root?: string
  readonly dataFolder?: string
  readonly services?: Services
  readonly run?: Run
  /** What the clock says until `advance` is called. */
  readonly now?: number
}

export interface FakeContext extends Context {
  readonly rejected: Array<{ readonly row: Row | number, readonly reason: string }>
  /** All that the plugin said about itself, oldest first. */
  readonly healths: Health[]
  readonly counts: Record<string, number>
  readonly gauges: Record<string, number>
  readonly seconds: Record<string, number[]>
  readonly logs: LogLine[]
  /** Aborts the signal. */
  stop (): void
  /** Moves the clock; timers do not follow it. */
  advance (ms: number): void
}

/** A topic whose fields are text, or those given. */
export function fakeTopic (name = 'quotes', fields: ReadonlyArray<string | Field> = ['symbol', 'price']): Topic {
  return {
    name,
    description: '',
    owner: '',
    fields: fields.map(given => typeof given === 'string' ? field(given, { kind: 'string' }) : given),
    key: [],
    eventTime: '',
    partitions: 1,
    retention: { ms: 86_400_000, bytes: 2 ** 30, beyondOutputs: false },
    hash: `${name}-1`
  }
}

export function fakeContext (options: FakeOptions = {}): FakeContext {
  const { topic = fakeTopic(), topics = [], now = Date.UTC(2024, 0, 2, 14, 30) } = options
  const controller = new AbortController()
  const rejected: FakeContext['rejected'] = []
  const healths: Health[] = []
  const counts: Record<string, number> = {}
  const gauges: Record<string, number> = {}
  const seconds: Record<string, number[]> = {}
  const logs: LogLine[] = []
  const log = (level: LogLine['level']) => (fields: object, message: string): void => {
    logs.push({ level, fields: { ...fields }, message })
  }
  let time = now
  return {
    pipeline: options.pipeline ?? 'test',
    step: options.step ?? 'test',
    root: options.root ?? process.cwd(),
    dataFolder: options.dataFolder ?? '',
    services: options.services ?? {},
    checkpoint: options.checkpoint,
    run: options.run,
    topic,
    signal: controller.signal,
    clock: { now: () => time },
    log: { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') },
    metrics: {
      count: (name, by = 1) => { counts[name] = (counts[name] ?? 0) + by },
      gauge: (name, value) => { gauges[name] = value },
      observe: (name, value) => { (seconds[name] ??= []).push(value) }
    },
    topicNamed (name) {
      const found = [topic, ...topics].find(known => known.name === name)
      if (found === undefined) throw new Error(`there is no schema ${name}`)
      return found
    },
    reject (row, reason) { rejected.push({ row, reason }) },
    health (health) { healths.push(health) },
    stop () { controller.abort() },
    advance (ms) { time += ms },
    rejected,
    healths,
    counts,
    gauges,
    seconds,
    logs
  }
}

/** Resolves when `holds` does; throws when it never does. */
export async function until (holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS_MAX
  while (!await holds()) {
    if (performance.now() > giveUpAt) throw new Error(`never happened: ${what}`)
    await sleep(5)
  }
}
