// One pipeline file: parsed, variables replaced, checked and resolved to plain data that a worker thread can take.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { checkYaml, valueAt } from './check.ts'
import { readConfig } from './config.ts'
import { PlatformError } from './errors.ts'
import { interpolate, shown, suggestAt } from './interpolate.ts'
import type { Environment, Interpolated } from './interpolate.ts'
import { readSchedule } from './jobs/schedule-file.ts'
import type { Schedule } from './jobs/schedule.ts'
import { taskIds } from './jobs/task-ids.ts'
import { listPlugins } from './loader.ts'
import { heapMegabytesDefault, pipelineForm } from './pipeline-form.ts'
import { configInvalid, quote } from './problems.ts'
import type { Path, Problem } from './problems.ts'
import type { FlushLimits, InputPlugin, Json, OutputPlugin } from './plugin.ts'
import type { Topic } from './schema.ts'
import { filesOf, readSchemaFolder } from './schema-file.ts'
import { readSteps } from './step-file.ts'
import type { Step, StepFile } from './step-file.ts'
import { Targets } from './targets.ts'
import { readYaml } from './yaml.ts'

export type { Step } from './step-file.ts'

export interface InputStep extends Step {
  /** Source name to topic field, on top of the plugin's own names. */
  readonly rename: Readonly<Record<string, string>>
  /** A run of a job reads what belongs to its interval only, so that a backfill can be made. Left out: it does not. */
  readonly readsInterval?: true
}
export interface OutputStep extends Step {
  readonly flush: FlushLimits
}

/** Plain data throughout: it is posted to a worker thread. It may hold secrets: only `redact` of it leaves the process. */
export interface Pipeline {
  /** The file's name without `.yaml`. */
  readonly id: string
  /** Relative to the project's folder. */
  readonly file: string
  readonly text: string
  readonly description: string
  readonly enabled: boolean
  readonly input: InputStep | undefined
  readonly topic: string
  readonly transforms: readonly Step[]
  readonly outputs: readonly OutputStep[]
  /** A pipeline that has one is a job; undefined: it runs all the time. */
  readonly schedule: Schedule | undefined
  readonly heapMegabytes: number
  /** Texts that logs and answers must not show. */
  readonly secrets: readonly string[]
  /** `text` with the secrets that stand in it replaced by `***`. */
  readonly publicText: string
  /** Changes whenever the resolved configuration, a schema or a plugin's code does. */
  readonly revision: string
}

export interface PipelineSource {
  readonly root: string
  /** Relative to `root`, such as `pipelines/quotes.yaml`. */
  readonly file: string
  readonly text: string
  readonly env: Environment
  readonly schemas: ReadonlyMap<string, Topic>
}

interface PipelineText {
  readonly description?: string
  readonly enabled?: boolean
  readonly topic: string
  readonly schedule?: string | object
  readonly limits?: { readonly heap_megabytes?: number }
}

const idPattern = /^[a-z0-9][a-z0-9_-]{0,63}$/
const flushDefault: FlushLimits = { rows: 100_000, ms: 250, bytes: 64 * 2 ** 20 }

/** Throws one CONFIG_INVALID that lists all problems of the file. */
export async function readPipeline (source: PipelineSource): Promise<Pipeline> {
  return (await readParts(source)).pipeline
}

/** The pipeline, and its outputs as they stand in the file. */
async function readParts ({ root, file, text, env, schemas }: PipelineSource): Promise<{ readonly pipeline: Pipeline, readonly yaml: Interpolated, readonly outputs: readonly StepFile[] }> {
  const yaml = interpolate(readYaml(file, text), env)
  const checked = checkYaml<PipelineText>(yaml, pipelineForm)
  const problems: Problem[] = []
  const id = basename(file, '.yaml')
  if (!idPattern.test(id)) problems.push(yaml.problem([], `a pipeline's id (the file's name) has small letters, digits, "_" and "-", 64 at most; not ${quote(id)}`))
  if ((taskIds as readonly string[]).includes(id)) problems.push(yaml.problem([], `${quote(id)} is a job of the platform; give the file another name`))
  const topic = schemas.get(checked.topic)
  if (topic === undefined) problems.push(noSchema(yaml, ['topic'], checked.topic, schemas))

  const [input] = await readSteps(root, yaml, 'input', problems)
  const transforms = await readSteps(root, yaml, 'transform', problems)
  const outputs = await readSteps(root, yaml, 'output', problems)
  checkShape(yaml, problems)
  checkRename(yaml, input, schemas, topic, problems)
  const mapped = checkMappings(yaml, transforms, schemas, problems)
  const schedule = readSchedule(yaml, checked.schedule, problems)
  if (schedule !== undefined) await checkBounded(root, yaml, input, problems)
  if (problems.length > 0) throw configInvalid(problems)

  const steps = [...input === undefined ? [] : [input], ...transforms, ...outputs]
  const literals = steps.flatMap(step => literalSecrets(yaml, step))
  const resolved = {
    id,
    description: checked.description ?? '',
    enabled: checked.enabled ?? true,
    input: input === undefined ? undefined : { ...input.step, rename: (input.beside['rename'] ?? {}) as Readonly<Record<string, string>> },
    topic: checked.topic,
    transforms: transforms.map(({ step }) => step),
    outputs: outputs.map(output => ({ ...output.step, flush: flushLimits(output) })),
    schedule,
    heapMegabytes: checked.limits?.heap_megabytes ?? heapMegabytesDefault
  }
  // No part of the revision: the plugin's code and its configuration are, and they say it.
  const readsInterval = input !== undefined && (input.plugin as InputPlugin).interval?.(input.step.config) === true
  const hashes = [topic, ...mapped].map(schema => schema?.hash)
  const pipeline = {
    ...resolved,
    ...(readsInterval && resolved.input !== undefined && { input: { ...resolved.input, readsInterval } }),
    file,
    text,
    secrets: [...new Set([...yaml.secrets, ...literals.flatMap(({ values }) => values)])],
    publicText: maskText(text, literals),
    revision: createHash('sha256').update(JSON.stringify([resolved, hashes])).digest('hex').slice(0, 16)
  }
  return { pipeline, yaml, outputs }
}

export interface Pipelines {
  readonly pipelines: Map<string, Pipeline>
  readonly schemas: Map<string, Topic>
  /** Files that cannot be used, schemas first. One of them never hides the others. */
  readonly problems: ReadonlyArray<{ readonly file: string, readonly error: PlatformError }>
}

/** All of `schemas/` and `pipelines/` below the project's folder. */
export async function readPipelines (root: string, env: Environment): Promise<Pipelines> {
  const { schemas, problems: schemaProblems } = await readSchemaFolder(join(root, 'schemas'))
  const pipelines = new Map<string, Pipeline>()
  const problems = [...schemaProblems]
  const targets = new Targets()
  const dataFolder = await dataFolderOf(root, env)
  for (const entry of await filesOf(join(root, 'pipelines'))) {
    if (entry.endsWith('.test.yaml')) continue
    const file = `pipelines/${entry}`
    try {
      if (entry.endsWith('.yml')) throw new PlatformError('CONFIG_INVALID', `${file}: name it ${entry.slice(0, -4)}.yaml`)
      const { pipeline, yaml, outputs } = await readParts({ root, file, text: await readFile(join(root, file), 'utf8'), env, schemas })
      const { id, topic, enabled } = pipeline
      const doubled = enabled ? targets.take({ file, yaml, outputs, place: { pipeline: id, topic, dataFolder } }) : undefined
      if (doubled !== undefined) throw doubled
      pipelines.set(id, pipeline)
    } catch (error) {
      problems.push({ file, error: error instanceof PlatformError ? error : new PlatformError('CONFIG_INVALID', `${file}: cannot be read`, { cause: error }) })
    }
  }
  return { pipelines, schemas, problems }
}

/** Paths of outputs begin there. A configuration that is wrong is told elsewhere. */
async function dataFolderOf (root: string, env: Environment): Promise<string> {
  return readConfig({ root, env }).then(({ dataFolder }) => dataFolder, () => join(root, 'data'))
}

/** What stands for a secret. */
export const mask = '***'

/** The public form: secrets are `***`, and what only the runtime needs is left out. */
export function redact (pipeline: Pipeline): Omit<Pipeline, 'secrets' | 'publicText'> {
  const { secrets: _, publicText, ...rest } = pipeline
  return {
    ...rest,
    text: publicText,
    input: rest.input === undefined ? undefined : redactStep(rest.input),
    transforms: rest.transforms.map(redactStep),
    outputs: rest.outputs.map(redactStep)
  }
}

function redactStep<S extends Step> (step: S): S {
  const config = structuredClone(step.config) as Record<string, Json>
  for (const path of step.hidden) {
    const parent = valueAt(config, path.slice(0, -1)) as Record<string | number, Json>
    parent[path.at(-1) as string | number] = mask
  }
  return { ...step, config }
}

function checkShape (yaml: Interpolated, problems: Problem[]): void {
  const { input, transforms, outputs } = yaml.value as Readonly<Record<string, Json>>
  const hasOutputs = Array.isArray(outputs) && outputs.length > 0
  if (input === undefined && !hasOutputs) problems.push(yaml.problem([], 'has neither an input nor outputs: there is nothing to do'))
  else if (Array.isArray(transforms) && transforms.length > 0 && !hasOutputs) problems.push(yaml.problem(['transforms'], 'there are no outputs that would get the transformed rows'))
}

function checkRename (yaml: Interpolated, input: StepFile | undefined, schemas: ReadonlyMap<string, Topic>, topic: Topic | undefined, problems: Problem[]): void {
  if (input === undefined || topic === undefined) return
  // An input may fill several topics, so a field of any schema will do.
  const known = new Set([...schemas.values()].flatMap(({ fields }) => fields.map(({ name }) => name)))
  for (const [source, field] of Object.entries((input.beside['rename'] ?? {}) as Record<string, string>)) {
    const path = ['input', 'rename', source]
    if (!known.has(field)) problems.push(yaml.problem(path, `the schema of ${topic.name} has no field ${shown(yaml, path, field)}${suggestAt(yaml, path, field, topic.fields.map(({ name }) => name))}`))
  }
}

/** A run of a job ends when its input has. */
async function checkBounded (root: string, yaml: Interpolated, input: StepFile | undefined, problems: Problem[]): Promise<void> {
  if (input === undefined || (input.plugin as InputPlugin).bounded === true) return
  const bounded = (await listPlugins(root)).filter(({ kind, bounded }) => kind === 'input' && bounded).map(({ name }) => name)
  problems.push(yaml.problem(input.place([]), `${quote(input.step.plugin)} never ends, so that no run of a job would; inputs that do: ${bounded.length === 0 ? 'there are none' : bounded.join(', ')}`))
}

/** The schemas that mappings name. */
function checkMappings (yaml: Interpolated, transforms: readonly StepFile[], schemas: ReadonlyMap<string, Topic>, problems: Problem[]): Topic[] {
  const mapped: Topic[] = []
  for (const { step, place } of transforms) {
    const name = step.config['schema']
    if (step.plugin !== 'mapping' || typeof name !== 'string') continue
    const schema = schemas.get(name)
    if (schema === undefined) problems.push(noSchema(yaml, place(['schema']), name, schemas))
    else mapped.push(schema)
  }
  return mapped
}

function noSchema (yaml: Interpolated, path: Path, name: string, schemas: ReadonlyMap<string, Topic>): Problem {
  return yaml.problem(path, `there is no schema ${shown(yaml, path, name)}, or it has problems of its own${suggestAt(yaml, path, name, [...schemas.keys()])}`)
}

function flushLimits ({ plugin, beside }: StepFile): FlushLimits {
  const { rows, ms, megabytes } = (beside['flush'] ?? {}) as { rows?: number, ms?: number, megabytes?: number }
  return {
    ...flushDefault,
    ...(plugin as OutputPlugin).flush,
    ...(rows !== undefined && { rows }),
    ...(ms !== undefined && { ms }),
    ...(megabytes !== undefined && { bytes: megabytes * 2 ** 20 })
  }
}

interface LiteralSecret {
  readonly from: number
  readonly source: string
  readonly values: readonly string[]
}

const secretCharactersMin = 4

/** Secrets that stand in the file itself, in options marked `writeOnly`. */
function literalSecrets (yaml: Interpolated, { step, plugin, place }: StepFile): LiteralSecret[] {
  const found: LiteralSecret[] = []
  for (const path of step.hidden) {
    const source = yaml.source(place(path))
    if (source === undefined || plugin.options[path[0] as string]?.writeOnly !== true) continue
    // A bare ${NAME} shows nothing.
    if (/^["']?\$\{\w+\}["']?$/.test(source.text)) continue
    found.push({ from: source.from, source: source.text, values: texts(valueAt(step.config, path)).filter(value => value.length >= secretCharactersMin) })
  }
  return found
}

function texts (value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(item => texts(item as Json))
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(item => texts(item as Json))
  return value === null ? [] : [String(value)]
}

/** From the end on, so that the places before stay right; an alias may give one place twice. */
function maskText (text: string, literals: readonly LiteralSecret[]): string {
  let masked = text
  let end = Infinity
  for (const { from, source } of literals.toSorted((a, b) => b.from - a.from)) {
    if (from + source.length > end) continue
    const newline = source.endsWith('\n') ? '\n' : ''
    masked = `${masked.slice(0, from)}'${mask}'${newline}${masked.slice(from + source.length)}`
    end = from
  }
  return masked
}
