// What this runtime says to the other ones, and does for them.

import { parseAddress } from './clickhouse/address.ts'
import { PlatformError } from './errors.ts'
import { Fleet } from './fleet.ts'
import type { Answer, Command } from './fleet.ts'
import type { Json } from './plugin.ts'
import type { Platform } from './platform.ts'
import type { RuntimeOutcome } from './receipt.ts'
import type { Peers, Supervisor } from './supervisor.ts'

type Alone = Omit<Platform, 'fleet' | 'peers'>

export function fleetOf (platform: Alone): Fleet {
  const { config: { name, role, kafka }, broker, supervisor, log, version } = platform
  const since = Date.now()
  return new Fleet({
    broker,
    shared: kafka !== undefined,
    name,
    role,
    log,
    status: async () => ({
      url: platform.url,
      version,
      since,
      digest: await supervisor.digest(),
      clickhouse: clickhouseOf(platform),
      failing: platform.failing(),
      pipelines: supervisor.status().map(status => ({ ...status, steps: status.steps.map(step => ({ ...step, rows_per_second: supervisor.rowsPerSecond(status.id, step.step) })) }))
    }),
    execute: command => execute(supervisor, command)
  })
}

function clickhouseOf ({ config: { clickhouse } }: Alone): string {
  return clickhouse === 'embedded' ? clickhouse : parseAddress(clickhouse).text
}

/** Before the pipelines start: takes over what the control side has paused. Throws where the others could not see what this runtime would store. */
export async function checkPeers (fleet: Fleet, platform: Alone): Promise<void> {
  const { store, config: { name } } = platform
  const others = (await fleet.members()).filter(({ runtime }) => runtime !== name)
  if (others.length === 0) return
  const apart = [...others, { runtime: name, clickhouse: clickhouseOf(platform) }].find(({ clickhouse }) => clickhouse === 'embedded')
  if (apart !== undefined) {
    throw new PlatformError('CONFIG_INVALID', `Runtime ${apart.runtime} has its own embedded ClickHouse, and runtime ${others[0]?.runtime} is on the same broker: each would store a part of the rows`, {
      remedy: 'Let all of them use one ClickHouse with TWOLANE_CLICKHOUSE (npx twolane clickhouse runs one), or give each installation its own TWOLANE_KAFKA_PREFIX.'
    })
  }
  const control = others.find(member => member.control)
  if (control === undefined) return
  const paused = store.paused()
  for (const { id, state } of control.pipelines) if ((state === 'paused') !== paused.has(id)) store.setPaused(id, state === 'paused')
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
