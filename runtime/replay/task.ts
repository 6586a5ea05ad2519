// A replay that somebody asked for: a pipeline of one input, run once as a run of the job `replay`.

import { createHash } from 'node:crypto'
import { heapMegabytesDefault } from '../pipeline-form.ts'
import { PlatformError } from '../errors.ts'
import { lakeOptions, lakesOf } from '../lake/lakes.ts'
import { suggest } from '../problems.ts'
import { runPipeline } from '../jobs/pipeline-run.ts'
import { manual } from '../jobs/schedule.ts'
import type { Task } from '../jobs/task.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Json } from '../plugin.ts'
import type { Supervisor } from '../supervisor.ts'

export const REPLAY = 'replay'

/** What is asked for; `null` stands for what the input's options say. */
export interface ReplayParams {
  readonly topic: string
  readonly into: string
  readonly from: string | null
  readonly to: string | null
  readonly speed: string
  readonly source: 'lake' | 'topic'
}

const time = String.raw`^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$`
const patterns: Readonly<Record<string, RegExp>> = { from: new RegExp(time), to: new RegExp(time), speed: /^(?:max|\d{1,6}(?:\.\d{1,6})?x)$/, source: /^(?:lake|topic)$/ }
const names = ['topic', 'into', 'from', 'to', 'speed', 'source']

/** Checks what is asked for and fills in the rest. Throws REQUEST_INVALID or NOT_FOUND. */
export function replayParams (given: Readonly<Record<string, Json>>, { files, schemas }: Pick<Supervisor, 'files' | 'schemas'>): ReplayParams {
  const invalid = (message: string, remedy: string): PlatformError => new PlatformError('REQUEST_INVALID', message, { remedy })
  const text = (name: string): string | null => {
    const value = given[name] ?? null
    if (value === null) return null
    if (typeof value !== 'string' || patterns[name]?.test(value) === false) throw invalid(`${name} ${JSON.stringify(value)} is not understood`, 'A time is 2024-01-02 or 2024-01-02T14:30:00Z, a speed 10x or max, a source lake or topic.')
    return value
  }
  const unknown = Object.keys(given).find(name => !names.includes(name))
  if (unknown !== undefined) throw invalid(`There is no ${JSON.stringify(unknown)}`, `There are ${names.join(', ')}.`)
  const [topic, into] = [text('topic'), text('into')]
  if (topic === null || into === null) throw invalid('topic and into must be given', 'Name the topic to replay, and the one that takes its rows.')
  if (!schemas.has(topic)) throw new PlatformError('NOT_FOUND', `There is no topic "${topic}"${suggest(topic, [...schemas.keys()])}`)
  if (!schemas.has(into)) throw new PlatformError('NOT_FOUND', `There is no topic "${into}"`, { remedy: `Add schemas/${into}.yaml, such as a copy of schemas/${topic}.yaml, and reload.` })
  if (topic === into) throw invalid(`The rows of ${topic} would be replayed into ${topic} itself, where they are already`, 'Name another topic, with a schema of its own.')
  const [from, to] = [text('from'), text('to')]
  for (const at of [from, to]) if (at !== null && Number.isNaN(Date.parse(at))) throw invalid(`${at} is no time that there is`, 'Give another one.')
  if (from !== null && to !== null && Date.parse(from) >= Date.parse(to)) throw invalid('There is no time between from and to', 'Let "to" be later than "from".')
  const lakes = lakesOf(files.pipelines.values(), topic)
  const source = text('source') ?? (lakes.length > 0 ? 'lake' : 'topic')
  if (source === 'lake' && lakes.length === 0) throw new PlatformError('NOT_FOUND', `No pipeline keeps a lake of ${topic}`, { remedy: 'Replay from the topic, for as long as it keeps its rows: source topic.' })
  return { topic, into, from, to, speed: text('speed') ?? 'max', source: source as ReplayParams['source'] }
}

/** The job of all replays: one at a time. A run that is interrupted goes on where it was. */
export function replayTask (supervisor: Supervisor): Task {
  return {
    id: REPLAY,
    description: 'Replays a topic into another one, in the order of the event times',
    schedule: manual,
    needs: ['topic', 'into'],
    async run (context) {
      const params = replayParams(context.params, supervisor)
      await runPipeline(supervisor, pipelineOf(params, supervisor), context)
    }
  }
}

function pipelineOf (params: ReplayParams, { files }: Supervisor): Pipeline {
  const { topic, into, source, from, to, speed } = params
  const [lake] = lakesOf(files.pipelines.values(), topic)
  const lakeConfig = Object.fromEntries(Object.entries(lakeOptions).map(([name, option]) => [name, option.default])) as Record<string, Json>
  const config: Record<string, Json> = { ...lakeConfig, ...(source === 'lake' && { ...lake?.config }), topic, source, from, to, speed, batch_rows: 1000 }
  return {
    // One at a time: the checkpoint says which run it belongs to.
    id: REPLAY,
    file: REPLAY,
    text: '',
    publicText: `topic: ${into}`,
    description: `Replay of ${topic}`,
    enabled: true,
    input: { name: 'input.replay', plugin: 'replay', config, hash: '', hidden: [], rename: {} },
    topic: into,
    transforms: [],
    outputs: [],
    schedule: undefined,
    heapMegabytes: heapMegabytesDefault,
    secrets: (lake === undefined ? undefined : files.pipelines.get(lake.pipeline))?.secrets ?? [],
    revision: createHash('sha256').update(JSON.stringify(params)).digest('hex').slice(0, 16)
  }
}
