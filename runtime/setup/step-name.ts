import { reservedKeys } from '../pipeline-form.ts'
import type { PluginKind } from '../loader.ts'
import type { Json } from '../plugin.ts'

/** The key of a pipeline file under which steps of a kind stand. */
export const groups = { input: 'input', transform: 'transforms', output: 'outputs' } as const

export interface NamedStep {
  readonly kind: PluginKind
  /** Unique among the steps of its kind. */
  readonly name: string
  readonly plugin: string
  /** As they stand in the file: secrets and variables included. */
  readonly options: Json
  /** Of the step in the file. */
  readonly path: ReadonlyArray<string | number>
}

/** The steps of a pipeline's definition, whatever is wrong with it. */
export function stepsOf (definition: Json): NamedStep[] {
  if (typeof definition !== 'object' || definition === null || Array.isArray(definition)) return []
  return (Object.keys(groups) as PluginKind[]).flatMap(kind => {
    const given = (definition as Readonly<Record<string, Json>>)[groups[kind]]
    if (given === undefined || given === null) return []
    const list: ReadonlyArray<readonly [Json, ReadonlyArray<string | number>]> = kind === 'input' ? [[given, [groups[kind]]]] : Array.isArray(given) ? (given as readonly Json[]).map((item, i) => [item, [groups[kind], i]] as const) : []
    return list.map(([step, path]) => {
      const plugin = pluginOf(kind, step)
      const options = typeof step === 'object' && step !== null && !Array.isArray(step) ? (step as Readonly<Record<string, Json>>)[plugin] ?? {} : {}
      return { kind, name: stepName(kind, step), plugin, options, path }
    }).filter(({ plugin }) => plugin !== '')
  })
}

/** What a step is called: its own name, else that of its plugin; empty: it names no plugin. */
export function stepName (kind: keyof typeof reservedKeys, step: Json): string {
  if (typeof step === 'string') return step
  const { name } = step as { readonly name?: Json }
  return typeof name === 'string' ? name : pluginOf(kind, step)
}

/** The plugin that a step names; empty: none. */
export function pluginOf (kind: keyof typeof reservedKeys, step: Json): string {
  if (typeof step === 'string') return step
  if (typeof step !== 'object' || step === null || Array.isArray(step)) return ''
  return Object.keys(step).find(key => !Object.hasOwn(reservedKeys[kind], key)) ?? ''
}
