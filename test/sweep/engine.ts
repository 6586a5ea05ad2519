// One point of the sweep in the process of the embedded engine. It is started again by the platform's own code; the
// operation is repeated until it is acknowledged.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { freePort } from '../child.ts'
import { eventually } from '../waiting.ts'
import { engineOperations, isRepeated } from './engine-operations.ts'
import { attach } from './strace.ts'
import { countCalls, parseTrace } from './trace.ts'
import type { EmbeddedClickHouse } from '../../runtime/clickhouse/embedded.ts'
import type { EngineWork } from './engine-operations.ts'
import type { Found } from './operation.ts'
import type { Injection } from './strace.ts'
import type { Outcome } from './sweep.ts'
import type { Call } from './trace.ts'

/** Each one makes the engine wait longer before it starts again. */
const KILLS_MAX = 2
/** Attempts on one operation; more means that it never comes through. */
const ATTEMPTS_MAX = 60
const AGAIN_MS = 100
const quiet = { info () {}, warn () {}, error () {} }

export class SweptEngine {
  readonly name: string
  readonly #folder: string
  readonly #port: number
  #engine: EmbeddedClickHouse
  #work: EngineWork
  #kills = 0

  private constructor (name: string, { folder, port, engine, work }: { readonly folder: string, readonly port: number, readonly engine: EmbeddedClickHouse, readonly work: EngineWork }) {
    this.name = name
    this.#folder = folder
    this.#port = port
    this.#engine = engine
    this.#work = work
  }

  static async open (name: string): Promise<SweptEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'twolane-sweep-'))
    const port = await freePort()
    const engine = await start(folder, port)
    const open = engineOperations[name]
    if (open === undefined) throw new Error(`There is no operation ${name}`)
    const work = await open(engine.url)
    // Tables and the first version of a day.
    for (let time = 0; time < 2; time++) {
      await work.before()
      await work.attempt()
    }
    return new SweptEngine(name, { folder, port, engine, work })
  }

  async count (): Promise<ReadonlyMap<string, number>> {
    return countCalls((await this.#watched()).calls)
  }

  async at (injection: Injection): Promise<Outcome> {
    const { calls, found, end, hit } = await this.#watched(injection)
    if (this.#kills >= KILLS_MAX) await this.#restart()
    return { ...found, hit: hit || calls.some(({ injected }) => injected), end, promised: [] }
  }

  async close (): Promise<void> {
    await this.#work.close()
    await this.#engine.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #watched (injection?: Injection): Promise<{ readonly calls: readonly Call[], readonly found: Found, readonly end: string, readonly hit: boolean }> {
    await this.#work.before()
    const trace = join(this.#folder, 'trace')
    const pid = await eventually('the engine is up', () => this.#engine.pid)
    const tracer = await attach(pid, trace, injection)
    const failures = await this.#attempts()
    await tracer.detach()
    const died = this.#engine.pid !== pid
    if (died) this.#kills++
    await eventually('the engine is up', () => this.#engine.pid)
    const found = await this.#work.check()
    const end = `${died ? 'ended' : 'lived'}${failures === 0 ? '' : ', repeated'}`
    return { calls: parseTrace(await readFile(trace, 'utf8')), found, end, hit: died }
  }

  async #attempts (): Promise<number> {
    for (let failures = 0; ; failures++) {
      try {
        await this.#work.attempt()
        return failures
      } catch (error) {
        if (!isRepeated(error) || failures >= ATTEMPTS_MAX) throw error
        await sleep(AGAIN_MS)
      }
    }
  }

  async #restart (): Promise<void> {
    await this.#engine.close()
    this.#engine = await start(this.#folder, this.#port)
    this.#kills = 0
  }
}

function start (folder: string, port: number): Promise<EmbeddedClickHouse> {
  return startEmbedded({ folder: join(folder, 'engine'), port, password: null, log: quiet })
}
