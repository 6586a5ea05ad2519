// What this runtime says to the other ones, and does for them.

import { setTimeout } from 'node:timers/promises'
import { connectClickHouse } from './clickhouse/client.ts'
import { parseAddress } from './clickhouse/address.ts'
import { describe, PlatformError } from './errors.ts'
import { Fleet } from './fleet.ts'
import type { Answer, Command, Member } from './fleet.ts'
import type { Json } from './plugin.ts'
import type { Opening, Platform } from './platform.ts'
import type { RuntimeOutcome } from './receipt.ts'
import type { Peers, Supervisor } from './supervisor.ts'

type Alone = Opening

export function fleetOf (platform: Alone): Fleet {
  const { config: { name, role, kafka }, broker, supervisor, log, version } = platform
  const database = kafka === undefined ? '' : Promise.race([databaseOf(platform), setTimeout(DATABASE_MS_MAX, '', { ref: false })])
  return new Fleet({
    broker,
    shared: kafka !== undefined,
    name,
    role,
    log,
    status: async () => ({
      url: platform.url,
      version,
      digest: await supervisor.digest(),
      clickhouse: clickhouseOf(platform),
      database: await database,
      failing: platform.failing(),
      pipelines: supervisor.status().map(status => ({ ...status, steps: status.steps.map(step => ({ ...step, rows_per_second: supervisor.rowsPerSecond(status.id, step.step) })) }))
    }),
    execute: command => execute(supervisor, command)
  })
}

function clickhouseOf ({ config: { clickhouse } }: Alone): string {
  return clickhouse === 'embedded' ? clickhouse : parseAddress(clickhouse).text
}

/** A database that does not answer holds up nobody. */
const DATABASE_MS_MAX = 5000

/** Which one `streaming` is, made where it is missing; empty where that is not to be known. */
async function databaseOf ({ clickhouse, config }: Alone): Promise<string> {
  if (config.clickhouse === 'embedded' || clickhouse === undefined) return ''
  try {
    const client = await connectClickHouse(clickhouse)
    try {
      // Each node of a cluster may have its own.
      if (client.cluster !== '') return ''
      await client.command('CREATE DATABASE IF NOT EXISTS streaming')
      const [found] = await client.rows<{ id: string }>("SELECT toString(uuid) AS id FROM system.databases WHERE name = 'streaming'")
      return found?.id ?? ''
    } finally {
      await client.close()
    }
  } catch {
    return ''
  }
}

/** Before the pipelines start: takes over what the control side has paused. Throws where the others could not see what this runtime would store. */
export async function checkPeers (fleet: Fleet, platform: Alone): Promise<void> {
  const { store, config: { name } } = platform
  const members = await fleet.members()
  const others = members.filter(({ runtime }) => runtime !== name)
  // Also of a control side that is gone: what it has paused stays paused.
  const last = fleet.lastControl
  const control = others.find(member => member.control) ?? (last?.runtime === name ? undefined : last)
  const paused = store.paused()
  for (const { id, state } of control?.pipelines ?? []) if ((state === 'paused') !== paused.has(id)) store.setPaused(id, state === 'paused')
  if (others.length === 0) return
  const own = members.find(({ runtime }) => runtime === name)
  const elsewhere = others.find(({ database }) => database !== '' && own !== undefined && own.database !== '' && database !== own.database)
  if (elsewhere !== undefined) {
    throw new PlatformError('CONFIG_INVALID', `Runtime ${elsewhere.runtime} stores in the ClickHouse at ${elsewhere.clickhouse}, which is another one than that at ${clickhouseOf(platform)}: each would store a part of the rows`, {
      remedy: 'Let all runtimes of a broker use one ClickHouse with TWOLANE_CLICKHOUSE, or give each installation its own TWOLANE_KAFKA_PREFIX.'
    })
  }
  const apart = [...others, { runtime: name, clickhouse: clickhouseOf(platform) }].find(({ clickhouse }) => clickhouse === 'embedded')
  if (apart !== undefined) {
    throw new PlatformError('CONFIG_INVALID', `Runtime ${apart.runtime} has its own embedded ClickHouse, and runtime ${others[0]?.runtime} is on the same broker: each would store a part of the rows`, {
      remedy: 'Let all of them use one ClickHouse with TWOLANE_CLICKHOUSE (npx twolane clickhouse runs one), or give each installation its own TWOLANE_KAFKA_PREFIX.'
    })
  }
}

/** What this runtime has otherwise than the control side. */
interface Difference {
  /** Pipelines that are paused there and not here, or the other way round. */
  readonly pauses: ReadonlyArray<{ readonly id: string, readonly verb: 'pause' | 'resume' }>
  /** Whether other files run there. */
  readonly files: boolean
  readonly control: Member
}

const LOOK_MS = 5000
/** A change that is under way makes a difference, too: one that lasts is none. */
const LOOKS = 3

/** Brings this runtime to what the control side has, when it was silent while something was changed. The files are those of its own disk. */
export class Follower {
  /** What it cannot mend by itself; empty: nothing. */
  trouble = ''
  #seen = 0
  readonly #fleet: Fleet
  readonly #platform: Alone
  #timer: NodeJS.Timeout | undefined

  constructor (fleet: Fleet, platform: Alone) {
    this.#fleet = fleet
    this.#platform = platform
  }

  open (): void {
    this.#timer = setInterval(() => {
      this.look().catch((error: unknown) => this.#platform.log.warn({ reason: describe(error) }, 'The control side could not be followed'))
    }, LOOK_MS)
  }

  async look (): Promise<void> {
    const found = differenceOf(await this.#fleet.members(), this.#platform.config.name)
    this.#seen = found === undefined ? 0 : this.#seen + 1
    if (found === undefined) this.trouble = ''
    if (found === undefined || this.#seen < LOOKS) return
    const { supervisor, log } = this.#platform
    const { pauses, files, control: { runtime: control, digest } } = found
    for (const { id, verb } of pauses) {
      log.warn({ pipeline: id, verb, control }, 'The control side has it otherwise, following')
      await supervisor[verb](id)
    }
    if (!files) return
    if (await supervisor.digest({ read: true }) === digest) {
      log.warn({ control }, 'The control side has reloaded meanwhile, following')
      await supervisor.reload()
    } else {
      this.trouble = `It runs other files than the control side ${control}: bring the same files to both, and reload`
    }
  }

  close (): void {
    clearInterval(this.#timer)
  }
}

function differenceOf (members: readonly Member[], name: string): Difference | undefined {
  const [control, own] = [members.find(member => member.control), members.find(({ runtime }) => runtime === name)]
  if (control === undefined || own === undefined || control === own) return undefined
  const pauses = control.pipelines.flatMap(({ id, state }) => {
    const mine = own.pipelines.find(status => status.id === id)?.state
    if (mine === undefined || state === 'disabled' || mine === 'disabled' || (state === 'paused') === (mine === 'paused')) return []
    return [{ id, verb: state === 'paused' ? 'pause' as const : 'resume' as const }]
  })
  const files = control.digest !== own.digest
  return files || pauses.length > 0 ? { pauses, files, control } : undefined
}

/** Does what the control side commands. */
export async function execute (supervisor: Supervisor, { verb, pipeline = '' }: Command): Promise<Json> {
  switch (verb) {
    case 'check': return supervisor.digest({ read: true })
    case 'reload': {
      const { outcome, reason, ms } = await supervisor.reload()
      return { outcome, reason, ms }
    }
    case 'revert':
      await supervisor.revert()
      return null
    default:
      await supervisor[verb](pipeline)
      return null
  }
}

/** The others, as a reload needs them. */
export function peersOf (fleet: Fleet): Peers {
  return {
    async agree (digest) {
      const answers = await fleet.command({ verb: 'check' })
      const unlike = answers.filter(({ result, error }) => error !== '' || result !== digest)
      return unlike.map(({ runtime, error }) => error === '' ? `${runtime} has other files: bring them to all runtimes first` : `${runtime}: ${error}`).join('\n')
    },
    async spread () {
      return (await fleet.command({ verb: 'reload' })).map(outcomeOf)
    },
    async revert (outcomes) {
      const applied = outcomes.filter(({ outcome }) => outcome === 'applied').map(({ runtime }) => runtime)
      if (applied.length > 0) await fleet.command({ verb: 'revert' }, applied)
    }
  }
}

function outcomeOf ({ runtime, result, error }: Answer): RuntimeOutcome {
  if (error !== '') return { runtime, outcome: 'rejected', reason: error, ms: 0 }
  return { runtime, ...result as unknown as Omit<RuntimeOutcome, 'runtime'> }
}

/** Has all runtimes do it, this one first. Throws where one of them could not. */
export async function everywhere ({ supervisor, fleet }: Platform, command: Command): Promise<void> {
  await execute(supervisor, command)
  const failed = (await fleet.command(command)).filter(({ error }) => error !== '')
  if (failed.length > 0) throw new PlatformError('BROKER_UNAVAILABLE', failed.map(({ runtime, error }) => `${runtime}: ${error}`).join('; '))
}
