// Runs the tests of one pipeline: rows are renamed by the connector rule and go through the pipeline's own transforms, with
// a clock that the test owns. Nothing is started, and nothing is written.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Batch, fromRows } from './batch.ts'
import { Chain } from './chain.ts'
import type { Link } from './chain.ts'
import { connect } from './connector.ts'
import { describe, PlatformError } from './errors.ts'
import { loadPlugin } from './loader.ts'
import { readPipeline } from './pipeline.ts'
import type { Pipeline } from './pipeline.ts'
import { patternOf } from './pipeline-test-file.ts'
import type { ExpectedRejection, PipelineTest, PipelineTests } from './pipeline-test-file.ts'
import { suggest } from './problems.ts'
import type { Clock, Context, InputPlugin, Logger, Metrics, OutputPlugin, Row, TransformPlugin } from './plugin.ts'
import { Rejects } from './rejects.ts'
import { plainDifferences, rowDifferences } from './row-difference.ts'
import type { Topic } from './schema.ts'

export interface TestResult {
  readonly name: string
  /** What is not as expected, a line each; empty: the test passes. */
  readonly faults: readonly string[]
}

const rejectionsShownMax = 5

export interface TestGround {
  readonly root: string
  readonly schemas: ReadonlyMap<string, Topic>
}

/** Every test is run, also after one that fails. */
export async function runPipelineTests ({ id, tests }: PipelineTests, ground: TestGround): Promise<TestResult[]> {
  const file = `pipelines/${id}.yaml`
  const text = await readFile(join(ground.root, file), 'utf8')
  const results: TestResult[] = []
  for (const test of tests) results.push({ name: test.name, faults: await faultsOf(test, file, text, ground) })
  return results
}

async function faultsOf (test: PipelineTest, file: string, text: string, ground: TestGround): Promise<string[]> {
  try {
    const pipeline = await readPipeline({ ...ground, file, text, env: test.environment })
    return await compare(test, pipeline, ground)
  } catch (error) {
    const lines = describe(error).split('\n')
    return lines.some(line => /the variable \w+ is not set/.test(line)) ? [...lines, 'a test sees the variables under its environment: and no others'] : lines
  }
}

async function compare (test: PipelineTest, pipeline: Pipeline, ground: TestGround): Promise<string[]> {
  const { raw, mapped, refusals } = await flow(test, pipeline, ground)
  const names = pipeline.outputs.map(({ name }) => name.slice('outputs.'.length))
  const faults: string[] = []
  for (const [name, expected] of Object.entries(test.outputs)) {
    const output = pipeline.outputs[names.indexOf(name)]
    if (output === undefined) {
      faults.push(`the pipeline has no output ${JSON.stringify(name)}${suggest(name, names)}`)
      continue
    }
    const plugin = (await loadPlugin(ground.root, 'output', output.plugin)).plugin as OutputPlugin
    faults.push(...rowDifferences(expected, [plugin.raw === true ? raw : mapped], test.exact).map(line => `${output.name}: ${line}`))
  }
  return [...faults, ...rejectionDifferences(test.rejected, refusals)]
}

interface Refused {
  readonly reason: string
  readonly step: string
  readonly row: Row
}

interface Flow {
  /** Rows as the topic would hold them. */
  readonly raw: Batch
  /** Rows behind the last transform. */
  readonly mapped: Batch
  readonly refusals: readonly Refused[]
}

async function flow (test: PipelineTest, pipeline: Pipeline, { root, schemas }: TestGround): Promise<Flow> {
  const topic = schemas.get(pipeline.topic) as Topic
  const clock: Clock = { now: () => test.now }
  const names = pipeline.input === undefined ? {} : ((await loadPlugin(root, 'input', pipeline.input.plugin)).plugin as InputPlugin).names ?? {}
  const sent = new Batch(topic, test.input.length, fromRows(topic, test.input).columns, { position: { partition: 0, offset: 0, time: test.now } })
  const raw = connect(topic, names, pipeline.input?.rename ?? {})(sent)

  const rejects = new Rejects(topic.name, pipeline.id, clock)
  const links: Link[] = []
  const chain = new Chain(links, rejects, { enter () {}, leave () {} })
  const stop = new AbortController()
  const surroundings = { ...quiet, root, pipeline: pipeline.id, topic, topicNamed: topicNamed(schemas), clock, signal: stop.signal }
  for (const step of pipeline.transforms) {
    const plugin = (await loadPlugin(root, 'transform', step.plugin)).plugin as TransformPlugin
    const reject: Context['reject'] = (row, reason) => { if (typeof row === 'number') chain.reject(step.name, row, reason) }
    links.push({ step: step.name, mapping: await plugin.open(step.config, { ...surroundings, step: step.name, reject }) })
  }
  const mapped = raw.length === 0 ? raw : chain.map(raw)
  stop.abort()
  return { raw, mapped, refusals: rejects.take().flatMap(batch => [...batch.rows()] as unknown as Refused[]) }
}

const log: Logger = { error () {}, warn () {}, info () {}, debug () {} }
const metrics: Metrics = { count () {}, gauge () {}, observe () {} }
/** What a transform finds that is no part of a test. */
const quiet = { log, metrics, services: {}, dataFolder: '', checkpoint: undefined, run: undefined, health () {} }

function topicNamed (schemas: ReadonlyMap<string, Topic>): (name: string) => Topic {
  return name => {
    const topic = schemas.get(name)
    if (topic === undefined) throw new PlatformError('CONFIG_INVALID', `there is no schema ${JSON.stringify(name)}`)
    return topic
  }
}

function rejectionDifferences (expected: readonly ExpectedRejection[], refusals: readonly Refused[]): string[] {
  const lines: string[] = []
  if (expected.length !== refusals.length) lines.push(`rejected: ${expected.length} rows expected, ${refusals.length} came`)
  for (const [n, { reason, step, row }] of expected.entries()) {
    const refused = refusals[n]
    if (refused === undefined) lines.push(`rejected: row ${n} is missing: ${reason}`)
    else {
      const pattern = patternOf(reason)
      const fits = pattern === undefined ? refused.reason.includes(reason) : pattern.test(refused.reason)
      if (!fits) lines.push(`rejected: row ${n} reason: expected ${reason}, got ${JSON.stringify(refused.reason)}`)
      if (step !== undefined && step !== refused.step) lines.push(`rejected: row ${n} step: expected ${step}, got ${refused.step}`)
      lines.push(...plainDifferences(row ?? {}, refused.row).map(line => `rejected: row ${n} ${line}`))
    }
  }
  for (const { reason, step, row } of refusals.slice(expected.length, expected.length + rejectionsShownMax)) lines.push(`rejected: not expected: ${step} refused ${JSON.stringify(row)}: ${reason}`)
  return lines
}
