// One input, transform or output of a pipeline file: its plugin, its keys, its checked configuration.

import { checkYaml } from './check.ts'
import { PlatformError } from './errors.ts'
import { checkConfig, loadPlugin } from './loader.ts'
import type { PluginKind } from './loader.ts'
import { reservedKeys } from './pipeline-form.ts'
import { collect, configInvalid, formatPath, nearest, quote } from './problems.ts'
import type { Path, Problem } from './problems.ts'
import type { Interpolated } from './interpolate.ts'
import type { Json, Plugin } from './plugin.ts'

/** A part of a pipeline as its plugin sees it. */
export interface Step {
  /** Such as `input.file`, `transforms.mapping` or `outputs.copy`. */
  readonly name: string
  readonly plugin: string
  /** Checked, defaults filled in. */
  readonly config: Readonly<Record<string, Json>>
  /** Of the plugin's code. */
  readonly hash: string
  /** Places in `config` that hold secrets. */
  readonly hidden: readonly Path[]
}

export interface StepFile {
  readonly step: Step
  readonly plugin: Plugin
  /** The reserved keys that stand beside the plugin's name. */
  readonly beside: Readonly<Record<string, Json>>
  /** From a path in the configuration to the one in the file. */
  readonly place: (inside: Path) => Path
}

const groups = { input: 'input', transform: 'transforms', output: 'outputs' } as const
const stepsMax = 100

/** Reads the steps of a list (or the input); a step that is wrong is left out and its problems are added. */
export async function readSteps (root: string, yaml: Interpolated, kind: PluginKind, problems: Problem[]): Promise<StepFile[]> {
  const group = groups[kind]
  const given = (yaml.value as Readonly<Record<string, Json>>)[group]
  if (given === undefined) return []
  const list: Array<[Path, Json]> = kind === 'input' ? [[[group], given]] : (given as Json[]).map((item, i) => [[group, i], item])
  if (list.length > stepsMax) throw configInvalid([yaml.problem([group], `more than ${stepsMax} steps`)])
  const steps: StepFile[] = []
  const places = new Map<string, string>()
  for (const [path, item] of list) {
    const step = await readStep({ root, yaml, kind, path, item }, problems)
    if (step === undefined) continue
    const other = places.get(step.step.name)
    if (other === undefined) places.set(step.step.name, formatPath(path))
    else problems.push(yaml.problem([...path, 'name'], `${quote(step.step.name.slice(group.length + 1))} is already the name of ${other}; give one of them another with the key name`))
    steps.push(step)
  }
  return steps
}

interface StepText {
  readonly root: string
  readonly yaml: Interpolated
  readonly kind: PluginKind
  readonly path: Path
  readonly item: Json
}

async function readStep ({ root, yaml, kind, path, item }: StepText, problems: Problem[]): Promise<StepFile | undefined> {
  const split = splitStep(yaml, kind, path, item)
  const before = problems.length
  problems.push(...split.problems)
  const { name: pluginName, at, raw, beside } = split
  if (pluginName === '') return undefined
  const form = { type: 'object', properties: reservedKeys[kind] }
  collect(problems, () => checkYaml(yaml, form, { path, value: beside }))
  let loaded
  try {
    loaded = await loadPlugin(root, kind, pluginName)
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error
    const secret = typeof item === 'string' && yaml.replaced.has(formatPath(at))
    if (secret) problems.push(yaml.problem(at, `there is no ${kind} of that name (it came from a variable)`))
    else problems.push(yaml.problem(at, error.code === 'NOT_FOUND' ? error.message : `the plugin ${quote(pluginName)} cannot be used: ${error.toString()}`))
    return undefined
  }
  const { plugin, hash } = loaded
  const config = collect(problems, () => checkConfig(plugin, raw, yaml, at))
  if (config === undefined || problems.length > before) return undefined
  const place = (inside: Path): Path => isShort(plugin, raw) && inside[0] === plugin.shorthand ? [...at, ...inside.slice(1)] : [...at, ...inside]
  const name = `${groups[kind]}.${beside['name'] as string | undefined ?? pluginName}`
  return { step: { name, plugin: pluginName, config, hash, hidden: hiddenPaths(plugin, config, yaml, place) }, plugin, beside, place }
}

interface SplitStep {
  /** Empty: the step names no plugin. */
  readonly name: string
  /** Where the plugin's name stands. */
  readonly at: Path
  readonly raw: Json
  readonly beside: Readonly<Record<string, Json>>
  readonly problems: readonly Problem[]
}

/** The plugin's name is the one key that is not reserved. A bare text is a plugin without options. */
function splitStep (yaml: Interpolated, kind: PluginKind, path: Path, item: Json): SplitStep {
  if (typeof item === 'string') return { name: item, at: path, raw: {}, beside: {}, problems: [] }
  const step = item as Readonly<Record<string, Json>>
  const reserved = Object.keys(reservedKeys[kind])
  const keys = Object.keys(step).filter(key => !reserved.includes(key))
  // Keys that look like a reserved one are typing errors; of the others, the first is the plugin's name.
  const names = [...keys.filter(key => nearest(key, reserved) === undefined), ...keys.filter(key => nearest(key, reserved) !== undefined)]
  const [name, ...others] = names
  if (name === undefined) return { name: '', at: path, raw: {}, beside: {}, problems: [yaml.problem(path, `names no ${kind}; its name is the key that holds its options`)] }
  const problems = others.map(key => {
    const guess = nearest(key, reserved)
    const remedy = guess === undefined ? `beside ${quote(name)} only ${reserved.join(' and ')} may stand; is it an option that is not indented, or an item without its dash?` : `did you mean ${quote(guess)}?`
    return yaml.problem([...path, key], `unknown key; ${remedy}`)
  })
  const beside = Object.fromEntries(Object.entries(step).filter(([key]) => reserved.includes(key)))
  return { name, at: [...path, name], raw: step[name] ?? {}, beside, problems }
}

function isShort ({ shorthand }: Plugin, raw: Json): boolean {
  return shorthand !== undefined && (typeof raw !== 'object' || Array.isArray(raw))
}

function hiddenPaths (plugin: Plugin, config: Step['config'], yaml: Interpolated, place: (inside: Path) => Path): Path[] {
  const hidden: Path[] = []
  const visit = (value: Json, path: Path): void => {
    if (path.length === 1 && value !== null && plugin.options[path[0] as string]?.writeOnly === true) hidden.push(path)
    else if (yaml.secretPaths.has(formatPath(place(path)))) hidden.push(path)
    else if (Array.isArray(value)) for (const [i, item] of value.entries()) visit(item as Json, [...path, i])
    else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) visit(item as Json, [...path, key])
  }
  for (const [name, value] of Object.entries(config)) visit(value, [name])
  return hidden
}
