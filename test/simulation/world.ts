// One world: everything that a seed decides, from its first row to the moment when all that could fail has failed and all
// has come right again.
//
//   safety     rows come, things fail; after each step the checker looks
//   liveness   nothing fails any more; all rows have to arrive, and the days that are over have to be in the warehouse
//   end        the pipeline stops; what is where is counted

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbedded } from '../../runtime/broker/embedded.ts'
import { simulatedBroker } from './broker.ts'
import { Checker } from './checker.ts'
import { Engine } from './engine.ts'
import { DELAY_MS_MAX, Faults } from './faults.ts'
import { Bucket } from './objects.ts'
import { control, Keeper, platform } from './processes.ts'
import { BEGIN, LAKE_GROUP, REFUSED_PRICE, STREAMING_GROUP, sourceRows, table, topic } from './project.ts'
import { randomOf, VirtualTime } from './virtual-time.ts'
import type { Broker } from '../../runtime/broker/broker.ts'
import type { ClickHouse } from '../../runtime/clickhouse/client.ts'
import type { Lanes } from '../../runtime/warehouse/lanes.ts'
import type { Fault } from './faults.ts'
import type { PluginParts } from './plugins.ts'
import type { FlushSizes, SourceRow } from './project.ts'
import type { Process } from './virtual-time.ts'

/** Parts that are broken on purpose, so that a test can see whether the checker notices. */
export type Break = 'checkpoint before its rows' | 'commit before the flush' | 'read-back finds nothing' | 'engine forgets' | 'handoff deletes early' | 'store overwrites'

export interface WorldOptions {
  readonly seed: number
  readonly broken?: Break | undefined
  /** Points that may have a fault; undefined: all. */
  readonly only?: ReadonlySet<number>
}

export interface Outcome {
  readonly seed: number
  /** undefined: all held. */
  readonly failure: string | undefined
  readonly faults: readonly Fault[]
  readonly trace: readonly string[]
  readonly steps: number
  readonly rows: number
  readonly handoffs: number
  readonly reloads: number
}

/** After the last fault, until all has to be well. */
const LIVENESS_MS = 1_200_000
const LOOK_MS = 5000
const STEPS_MAX = 50_000

let worlds = 0

export class World {
  /** Unlike that of any other, also of the same seed. */
  readonly id = ++worlds
  readonly time: VirtualTime
  readonly faults: Faults
  readonly random: () => number
  readonly rows: readonly SourceRow[]
  readonly checker: Checker
  readonly broker: Broker
  readonly bucket: Bucket
  readonly schemas = new Map([[topic.name, topic]])
  readonly flush: FlushSizes
  readonly plugins: PluginParts
  readonly rowMs: number
  readonly reloadMs: number
  readonly handoffMs: number
  readonly graceMs: number
  revisions = 0
  handoffs = 0
  stopped = false
  readonly stopping: Promise<void>
  readonly #stop: () => void
  readonly #engines: { readonly streaming: Engine, readonly warehouse: Engine }
  readonly #broken: Break | undefined
  readonly #folder: string
  readonly #real: Broker
  #failure: Error | undefined
  #over = false

  constructor ({ seed, broken, only }: WorldOptions) {
    const random = this.random = randomOf(seed)
    this.#broken = broken
    this.time = new VirtualTime(BEGIN, seed + 1)
    const keepers = [new Keeper(this, 'platform', platform), new Keeper(this, 'control', control)]
    const root = (process: Process): Process => process.parent === undefined ? process : root(process.parent)
    this.faults = new Faults(seed, this.time, {
      crash: process => { for (const keeper of keepers) keeper.crash(root(process)) },
      pause: (process, ms) => { for (const keeper of keepers) keeper.pause(root(process), ms) }
    }, only)
    this.rows = sourceRows(10 + Math.floor(random() * 30), random)
    this.rowMs = 50 + random() * 500
    this.reloadMs = 3000 + random() * 30_000
    this.handoffMs = 3000 + random() * 12_000
    this.graceMs = 1000 + random() * 20_000
    const limits = (): { rows: number, ms: number, bytes: number } => ({ rows: 1 + Math.floor(random() * 20), ms: random() * 3000, bytes: 1e6 })
    this.flush = { streaming: limits(), lake: limits() }
    this.#folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'twolane-simulation-'))
    this.#real = openEmbedded({ folder: this.#folder, now: () => Math.floor(this.time.now) })
    this.checker = new Checker({ rows: this.rows, broker: this.#real, random, pinMs: this.graceMs, engines: () => this.#engines, bucket: () => this.bucket, now: () => this.time.now })
    const guarded = (look: () => void): void => { try { look() } catch (error) { this.fail(error) } }
    const engine = (name: string): Engine => new Engine({
      name, time: this.time, faults: this.faults, random, topic, tables: { streaming: table, warehouse: { database: 'warehouse', table: 'quotes' } }, refuses: REFUSED_PRICE, forgets: broken === 'engine forgets', onChange: () => guarded(() => this.checker.rowsChanged()), onUnknown: error => this.fail(error)
    })
    const streaming = engine('streaming')
    this.#engines = { streaming, warehouse: random() < 0.3 ? engine('warehouse') : streaming }
    this.bucket = new Bucket(this.faults, { onChange: name => guarded(() => this.checker.lakeChanged(name)), overwrites: broken === 'store overwrites' })
    const checker = {
      appended: (...given: Parameters<Checker['appended']>) => this.checker.appended(...given).catch((error: unknown) => this.fail(error)),
      committed: (...given: Parameters<Checker['committed']>) => this.checker.committed(...given).catch((error: unknown) => this.fail(error))
    }
    this.broker = simulatedBroker(this.#real, { time: this.time, faults: this.faults, random, checker, checkpointFirst: broken === 'checkpoint before its rows' })
    this.plugins = {
      time: this.time, faults: this.faults, random, rows: this.rows, rowMs: this.rowMs, streaming: () => streaming.client(), bucket: () => this.bucket, flushesLate: broken === 'commit before the flush', readsNothing: broken === 'read-back finds nothing'
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.stopping = promise
    this.#stop = resolve
    for (const keeper of keepers) keeper.start()
  }

  lanes (): Lanes {
    const { streaming, warehouse } = this.#engines
    const one = streaming.client()
    const two = streaming === warehouse ? one : warehouse.client()
    const broken = this.#broken === 'handoff deletes early' ? deletesEarly(one, streaming, () => this.checker.rowsChanged()) : one
    const other = one === two ? broken : two
    return { streaming: broken, warehouse: other, servers: one === two ? [broken] : [broken, other], close: async () => {} }
  }

  /** The first failure ends the world. */
  fail (error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error))
    this.faults.note(`FAILED ${String(error)}`)
  }

  onStopped (): void {
    this.#over = true
  }

  async run (): Promise<void> {
    const calmAt = BEGIN + this.rows.length * this.rowMs + this.random() * 40_000
    await this.#until(() => this.time.now >= calmAt)
    this.faults.note('from here on all goes well')
    this.faults.on = false
    let lookAt = 0
    let missing: string[] = []
    const settled = async (): Promise<boolean> => {
      // An answer that was delayed before may still be on its way.
      if (this.time.now < Math.max(lookAt, calmAt + DELAY_MS_MAX)) return false
      lookAt = this.time.now + LOOK_MS
      missing = await this.#missing()
      return missing.length === 0
    }
    await this.#until(settled, calmAt + LIVENESS_MS, () => `${missing.length} things are not as they should be long after the last fault: ${missing.slice(0, 5).join('; ')}`)
    this.stopped = true
    this.#stop()
    await this.#until(() => this.#over, this.time.now + 600_000, () => 'the pipeline does not stop')
    if (this.#failure === undefined) this.checker.checkLakeFiles()
  }

  /** Steps until it holds. Throws what has failed on the way. */
  async #until (holds: () => boolean | Promise<boolean>, deadline = Infinity, late = (): string => ''): Promise<void> {
    while (!await holds()) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.time.now > deadline || this.time.steps > STEPS_MAX) throw new Error(late() || `nothing comes to an end in ${STEPS_MAX} steps`)
      if (!await this.time.step()) throw new Error('nothing will ever happen again')
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  async #missing (): Promise<string[]> {
    const state = await this.#real.inspect(topic.name)
    const behind = [STREAMING_GROUP, LAKE_GROUP].flatMap(group => (state?.partitions ?? []).filter(({ partition, next }) => (state?.groups.find(one => one.group === group && one.partition === partition)?.offset ?? 0) < next).map(({ partition }) => `${group} has not committed all of partition ${partition}`))
    const old = this.#engines.streaming.read<{ n: number }>(`SELECT n FROM streaming.quotes WHERE at < ${BEGIN - 86_400_000}`).map(({ n }) => `row ${n} was not handed over`)
    return [...this.checker.final(), ...behind, ...old]
  }

  close (): void {
    void this.#real.close()
    for (const engine of new Set(Object.values(this.#engines))) engine.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** A handoff that takes the rows of the streaming database away as soon as they are copied. */
function deletesEarly (client: ClickHouse, engine: Engine, onChange: () => void): ClickHouse {
  return {
    ...client,
    async insertSelect (target, columns, select, options) {
      await client.insertSelect(target, columns, select, options)
      const where = /FROM `streaming`\.`quotes` WHERE ([^]*) AND throwIf/.exec(select)?.[1]
      if (where === undefined) return
      engine.read(`DELETE FROM \`streaming\`.\`quotes\` WHERE ${where}`)
      onChange()
    }
  }
}

/** One seed. */
export async function simulate (options: WorldOptions): Promise<Outcome> {
  let uninstall = (): void => {}
  let world: World | undefined
  let failure: string | undefined
  const rejected = (error: unknown): void => { world?.fail(error) }
  process.on('unhandledRejection', rejected)
  try {
    world = new World(options)
    uninstall = world.time.install()
    await world.run()
  } catch (error) {
    failure = error instanceof Error ? `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}` : String(error)
  } finally {
    uninstall()
    process.off('unhandledRejection', rejected)
    world?.close()
  }
  return {
    seed: options.seed,
    failure,
    faults: world?.faults.happened ?? [],
    trace: world?.faults.trace ?? [],
    steps: world?.time.steps ?? 0,
    rows: world?.rows.length ?? 0,
    handoffs: world?.handoffs ?? 0,
    reloads: world?.revisions ?? 0
  }
}
