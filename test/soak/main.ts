// `npm run soak`: the platform at a steady rate for hours, with a reload each minute, and what it needs meanwhile. It
// fails where a row is lost or doubled, a reload was refused, or something that should be flat grows.
//   node test/soak/main.ts [--minutes 120] [--rate 5000] [--reload-seconds 60]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeProject, startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import { chart } from './chart.ts'
import { growthAnHour, lakeRows, sampler } from './sample.ts'
import type { Sample } from './sample.ts'
import type { Project, RunningPlatform } from '../system/project.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '120' }, rate: { type: 'string', default: '5000' }, 'reload-seconds': { type: 'string', default: '60' } } })
const [minutes, rate, reloadSeconds] = [Number(values.minutes), Number(values.rate), Number(values['reload-seconds'])]
const SAMPLE_MS = 5000
/** The share of the run after which caches are full, topics have reached what they keep, and growth is a leak. */
const WARM_UP_SHARE = 1 / 4
/** A shorter run shows its growth and does not judge it: the topics have not reached what they keep. */
const JUDGED_MINUTES = 45

/** What may grow by how much an hour; a longer run tells smaller leaks. */
const flat: ReadonlyArray<{ readonly series: keyof Sample, readonly unit: string, readonly anHour: number }> = [
  { series: 'platform', unit: 'MiB', anHour: 40 },
  { series: 'engine', unit: 'MiB', anHour: 150 },
  { series: 'files', unit: 'open files', anHour: 10 },
  { series: 'threads', unit: 'threads', anHour: 2 },
  { series: 'topics', unit: 'MiB', anHour: 100 },
  { series: 'control', unit: 'MiB', anHour: 20 },
  { series: 'storedBytesARow', unit: 'bytes a row in the streaming database', anHour: 2 }
]

const schema = `
key: [symbol]
event_time: at
retention: { gigabytes: 0.25 }
fields:
  n: { type: int64, required: true, description: Number of the row }
  symbol: { type: string, required: true, low_cardinality: true, description: Instrument }
  at: { type: timestamp(ms), required: true, description: When it was made, cast: { unit: ms } }
  price: { type: float64, required: true, description: Price }
`
const pipeline = (revision: number): string => `
input:
  generate:
    rate: ${rate}
    count: ${rate * minutes * 60}
    fields: { n: { counter: 0 }, symbol: { choice: [AAPL, MSFT, NVDA, SPY] }, at: { clock: ms }, price: { walk: 100, step: 0.01 } }
topic: quotes
transforms:
  - mapping: quotes
  - weigh: {}
outputs:
  - streaming-database: {}
    flush: { ms: ${500 + revision % 2} }
  - lake: {}
`
/** New code at each reload, with 8 MiB that belong to it: what keeps an old module would be seen. */
const transform = (revision: number): string => `
import { defineTransform } from '../../../runtime/plugin.ts'

const ballast = new Float64Array(2 ** 20).fill(${revision})

export default defineTransform({
  description: 'Lets all rows pass and weighs 8 MiB',
  options: {},
  open: (_config, { metrics }) => ({
    map (batch) {
      metrics.gauge('revision', ballast[0])
      return batch
    }
  })
})
`
/** Every fifth reload is one that must be refused. */
const BAD_EVERY = 5

const folder = mkdtempSync(join(tmpdir(), 'twolane-soak-'))
const project = makeProject(folder, { 'schemas/quotes.yaml': schema, 'plugins/transforms/weigh/index.ts': transform(0), 'pipelines/quotes.yaml': pipeline(0) })
const platform = await startPlatform(project, { TWOLANE_LOG_LEVEL: 'info' })
const ended = new AbortController()
let complaints: string[] = []
try {
  console.log(`${rate} rows/s for ${minutes} minutes, a reload every ${reloadSeconds} s`)
  const reloads = reloadAgain(project, platform)
  const samples = await takeSamples(platform)
  ended.abort()
  const { applied, refused } = await reloads
  complaints = [...complaints, ...await countRows(platform), ...show(samples)]
  console.log(`${applied} reloads applied, ${refused} bad ones refused`)
  await platform.stop()
} finally {
  ended.abort()
  await platform.kill()
  rmSync(folder, { recursive: true, force: true })
}
for (const complaint of complaints) console.log(`FAILED: ${complaint}`)
console.log(complaints.length === 0 ? 'Flat, nothing lost, nothing twice' : `${complaints.length} failed`)
process.exitCode = complaints.length === 0 ? 0 : 1

async function reloadAgain (project: Project, platform: RunningPlatform): Promise<{ applied: number, refused: number }> {
  let [applied, refused] = [0, 0]
  for (let revision = 1; await untilNext(reloadSeconds * 1000); revision++) {
    const bad = revision % BAD_EVERY === 0
    project.write('plugins/transforms/weigh/index.ts', transform(revision))
    project.write('pipelines/quotes.yaml', bad ? pipeline(revision).replace('generate:', 'genrate:') : pipeline(revision))
    const { status, body } = await platform.api<{ outcome?: string }>('POST', '/v1/reload')
    if (bad ? status === 200 : body.outcome !== 'applied') complaints.push(`reload ${revision} was answered ${status} ${JSON.stringify(body).slice(0, 300)}`)
    else if (bad) refused++
    else applied++
  }
  return { applied, refused }
}

/** False when the run is over. */
function untilNext (ms: number): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(true), ms)
    ended.signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve(false)
    }, { once: true })
  })
}

async function takeSamples (platform: RunningPlatform): Promise<Sample[]> {
  const take = sampler(platform, project.data)
  const samples: Sample[] = []
  const end = performance.now() + minutes * 60_000
  while (performance.now() < end) {
    await new Promise(resolve => setTimeout(resolve, SAMPLE_MS))
    samples.push(await take())
    if (samples.length % 120 === 0) console.log(JSON.stringify(samples.at(-1)))
  }
  return samples
}

/** Each number once in the streaming database and in the lake. */
async function countRows (platform: RunningPlatform): Promise<string[]> {
  const sent = rate * minutes * 60
  const found = await eventually('all rows are stored', async () => {
    const [row] = await platform.query<{ rows: string, numbers: string }>('SELECT count() AS rows, uniqExact(n) AS numbers FROM streaming.quotes')
    return Number(row?.numbers) >= sent ? row : undefined
  })
  const inLake = await eventually('all rows are in the lake', async () => {
    const counted = await lakeRows(project.data)
    return counted.numbers >= sent ? counted : undefined
  })
  console.log(`${sent} rows sent; streaming database ${found.rows}, different ${found.numbers}; lake ${inLake.rows}, different ${inLake.numbers}`)
  return [['streaming database', Number(found.rows)], ['lake', inLake.rows]].flatMap(([where, rows]) => rows === sent ? [] : [`the ${where} has ${rows} rows of ${sent}`])
}

function show (samples: readonly Sample[]): string[] {
  const settled = samples.slice(Math.floor(samples.length * WARM_UP_SHARE))
  return flat.flatMap(({ series, unit, anHour }) => {
    const growth = growthAnHour(settled, series)
    console.log(`\n${series}, ${unit}: ${growth >= 0 ? '+' : ''}${growth.toFixed(1)} an hour after the first quarter (at most ${anHour})`)
    console.log(chart(samples.map(sample => sample[series])))
    return growth > anHour && minutes >= JUDGED_MINUTES ? [`${series} grew by ${growth.toFixed(1)} ${unit} an hour`] : []
  })
}
