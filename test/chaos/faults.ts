// What goes wrong in a run. A fault begins, lasts, and is over when its function resolves; the platform has to come
// right by itself from then on. What a fault itself demands, such as a refusal, is checked here.

import { spawnSync } from 'node:child_process'
import { appendFileSync, closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import { orderFile } from './plugins/trouble.ts'
import { DAYS, FIRST_DAY } from './rows.ts'
import type { Fate } from '../s3/network.ts'
import type { Trouble } from './plugins/trouble.ts'
import type { Random } from './random.ts'
import type { Mood } from './webhook.ts'
import type { World, WorldKind } from './world.ts'

export interface Fault {
  /** Where it can be had; everywhere if left out. */
  readonly worlds?: readonly WorldKind[]
  readonly needs?: 'clock' | 'disk'
  run (world: World, random: Random): Promise<void>
}

const DAY_SECONDS = 86_400
const HALF_HOUR_SECONDS = 1800

export const faults: Readonly<Record<string, Fault>> = {
  'runtime: SIGKILL': { run: restart },
  'runtime: SIGKILL while it recovers': {
    async run (world, random) {
      await world.kill()
      for (let i = random.between(1, 3); i > 0; i--) {
        await world.start()
        await sleep(random.between(0, 1500))
        await world.kill()
      }
      await world.start()
    }
  },
  'runtime: SIGTERM': {
    async run (world) {
      await world.stop()
      await world.start()
    }
  },
  'runtime: SIGSTOP': { run: (world, random) => paused(() => world.platform?.process.pid, random.between(1000, 12_000)) },
  'engine: SIGKILL': { run: async world => signal(world.enginePid, 'SIGKILL') },
  'engine: SIGKILL again and again': {
    async run (world, random) {
      for (let i = random.between(2, 4); i > 0; i--) {
        signal(world.enginePid, 'SIGKILL')
        await sleep(random.between(100, 1500))
      }
    }
  },
  'engine: SIGTERM': { run: async world => signal(world.enginePid, 'SIGTERM') },
  'engine: SIGSTOP': { run: (world, random) => paused(() => world.enginePid, random.between(1000, 15_000)) },
  'both: SIGKILL': {
    async run (world) {
      signal(world.enginePid, 'SIGKILL')
      await restart(world)
    }
  },
  'input: throws': { run: world => order(world, 'input', 'throw') },
  'input: throws out of a timer': { run: world => order(world, 'input', 'reject') },
  'input: ends its thread': { run: world => order(world, 'input', 'exit') },
  'input: hangs': { run: world => order(world, 'input', 'hang') },
  'transform: throws': { run: world => order(world, 'transform', 'throw') },
  'transform: ends its thread': { run: world => order(world, 'transform', 'exit') },
  'transform: hangs': { run: world => order(world, 'transform', 'hang') },
  'source: cuts its connections': { run: async ({ feed }) => feed.cut() },
  'source: poison rows': { run: async ({ feed }, random) => feed.poison(random.between(1, 3000)) },
  'webhook: slow': { run: (world, random) => moody(world, 'slow', random) },
  'webhook: answers 500': { run: (world, random) => moody(world, 'refuse', random) },
  'webhook: hangs': { run: (world, random) => moody(world, 'hang', random) },
  'webhook: stores and does not answer': { run: (world, random) => moody(world, 'lose', random) },
  'webhook: cuts the request': { run: (world, random) => moody(world, 'cut', random) },
  'reload: good': { run: reloadGood },
  'reload: bad': { run: reloadBad },
  'reload: good, and SIGKILL': {
    async run (world, random) {
      world.writePipeline()
      const answer = world.api('POST', '/v1/reload').catch(() => {})
      await sleep(random.between(0, 800))
      await restart(world)
      await answer
    }
  },
  handoff: { run: async world => { await handoff(world).catch(() => {}) } },
  'handoff, and SIGKILL': {
    async run (world, random) {
      await handoff(world).catch(() => {})
      await sleep(random.between(0, 1000))
      await restart(world)
    }
  },
  'second process on the data folder': { run: secondProcess },
  'disk: full': { needs: 'disk', run: fillDisk },
  'files: size limit for the runtime': { run: (world, random) => limited(() => world.platform?.process.pid, random) },
  'files: size limit for the engine': { run: (world, random) => limited(() => world.enginePid, random) },
  'topic log: torn tail': { worlds: ['embedded', 'server'], run: tear },
  'clock: ahead': { needs: 'clock', run: async world => world.setClock(world.clockSeconds + jumpSeconds(world)) },
  'clock: back': { needs: 'clock', run: async world => world.setClock(world.clockSeconds - jumpSeconds(world)) },
  'kafka: SIGKILL': {
    worlds: ['kafka'],
    async run ({ kafka }, random) {
      await kafka?.kill()
      await sleep(random.between(0, 4000))
      await kafka?.start()
    }
  },
  'kafka: SIGTERM': {
    worlds: ['kafka'],
    async run ({ kafka }, random) {
      await kafka?.stop()
      await sleep(random.between(0, 4000))
      await kafka?.start()
    }
  },
  'kafka: SIGSTOP': { worlds: ['kafka'], run: ({ kafka }, random) => paused(() => kafka?.pid, random.between(1000, 15_000)) },
  'network to the engine: answers are lost': { worlds: ['server'], run: (world, random) => broken(world, random, 'lost') },
  'network to the engine: requests are cut': { worlds: ['server'], run: (world, random) => broken(world, random, 'cut') },
  'network to the engine: 503': { worlds: ['server'], run: (world, random) => broken(world, random, 'busy') },
  'network to the engine: no answers': { worlds: ['server'], run: (world, random) => broken(world, random, 'hang') }
}

/** Begins a handoff of all days; throws where it cannot be begun now. Returns the id of its run. */
export async function handoff (world: World): Promise<string> {
  const to = FIRST_DAY + (DAYS + 3) * DAY_SECONDS * 1000
  const { status, body } = await world.api<{ id: string }>('POST', '/v1/jobs/handoff/runs', { from: FIRST_DAY, to, params: { grace_seconds: 0 } })
  if (status !== 202) throw new Error(`The handoff could not be begun: ${JSON.stringify(body)}`)
  return body.id
}

/** Kafka takes nothing that is stamped more than an hour ahead of its own clock. */
function jumpSeconds ({ options: { kind } }: World): number {
  return kind === 'kafka' ? HALF_HOUR_SECONDS : DAY_SECONDS
}

async function restart (world: World): Promise<void> {
  await world.kill()
  await world.start()
}

function signal (pid: number | undefined, name: NodeJS.Signals): void {
  // It is not there while it is being started again.
  if (pid !== undefined) process.kill(pid, name)
}

async function paused (pidOf: () => number | undefined, ms: number): Promise<void> {
  const pid = pidOf()
  signal(pid, 'SIGSTOP')
  await sleep(ms)
  signal(pid, 'SIGCONT')
}

async function order ({ project }: World, step: 'input' | 'transform', trouble: Trouble): Promise<void> {
  const file = orderFile(project.folder, step)
  writeFileSync(`${file}.new`, trouble)
  // Read whole or not at all.
  renameSync(`${file}.new`, file)
  await eventually(`the ${step} has got its order`, () => !existsSync(file) || undefined)
}

async function moody ({ webhook }: World, mood: Mood, random: Random): Promise<void> {
  webhook.mood = mood
  await sleep(random.between(500, 6000))
  webhook.recover()
}

async function broken ({ network }: World, random: Random, fate: Fate): Promise<void> {
  if (network === undefined) return
  const share = random.next()
  network.fate = () => random.next() < share ? fate : 'pass'
  await sleep(random.between(500, 8000))
  network.fate = () => 'pass'
}

async function reloadGood (world: World): Promise<void> {
  world.writePipeline()
  // It may be rolled back while something else is broken; the next one takes it.
  await world.api('POST', '/v1/reload').catch(() => {})
}

const badFiles: ReadonlyArray<readonly [file: string, text: string]> = [
  ['pipelines/trades.yaml', 'input: [\n'],
  ['pipelines/trades.yaml', 'topic: trades\noutputs:\n  - streaming-databse: {}\n'],
  ['pipelines/trades.yaml', 'input:\n  feed: http://127.0.0.1:9\ntopic: nothing\n'],
  ['schemas/trades.yaml', 'fields: { n: { type: int63 } }\n'],
  ['schemas/trades.yaml', '']
]

async function reloadBad (world: World, random: Random): Promise<void> {
  const [file, text] = badFiles[random.between(0, badFiles.length - 1)] as (typeof badFiles)[number]
  const good = readFileSync(join(world.project.folder, file), 'utf8')
  world.project.write(file, text)
  try {
    const { status } = await world.api('POST', '/v1/reload')
    if (status < 400) world.violations.push(`A reload took a bad ${file}: ${JSON.stringify(text)}`)
  } catch {
    // Something else is broken.
  } finally {
    world.project.write(file, good)
  }
}

async function secondProcess (world: World): Promise<void> {
  const outcome = await startPlatform(world.project, { TWOLANE_BROKER: 'embedded' }).catch(String)
  if (typeof outcome === 'object') {
    await outcome.kill()
    world.violations.push('A second process began on the same data folder')
  } else if (!/works with the data folder/.test(outcome)) world.violations.push(`A second process did not say who works with the data folder: ${outcome}`)
}

async function fillDisk ({ project }: World, random: Random): Promise<void> {
  const file = join(project.data, 'ballast')
  const descriptor = openSync(file, 'w')
  const bytes = Buffer.alloc(2 ** 20)
  try {
    // What the platform gives back meanwhile is taken, too.
    for (const end = performance.now() + random.between(1000, 6000); performance.now() < end;) {
      try {
        writeSync(descriptor, bytes)
      } catch {
        await sleep(20)
      }
    }
  } finally {
    closeSync(descriptor)
    rmSync(file, { force: true })
  }
}

async function limited (pidOf: () => number | undefined, random: Random): Promise<void> {
  const pid = pidOf()
  if (pid === undefined) return
  const set = (bytes: string): void => { spawnSync('prlimit', [`--pid=${pid}`, `--fsize=${bytes}`]) }
  set(`${random.between(0, 64) * 1024}:unlimited`)
  await sleep(random.between(500, 5000))
  set('unlimited:unlimited')
}

/** What a crash of the machine may leave behind the last write that was synced. */
async function tear (world: World, random: Random): Promise<void> {
  await world.kill()
  const garbage = Buffer.from(Array.from({ length: random.between(1, 40_000) }, () => random.between(0, 255)))
  for (const topic of ['trades', 'trades.rejected']) {
    const file = join(world.project.data, 'topics', `${topic}.db-wal`)
    if (existsSync(file)) appendFileSync(file, garbage)
  }
  await world.start()
}
