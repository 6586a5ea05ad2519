// Which options of plugins are secret. The plugins say it, and to ask them takes a thread that imports them: so what they
// said is kept for a while.

import { readNamedPlugins } from '../files.ts'
import { usedPlugins } from './used-plugins.ts'
import type { ListedPlugin, UsedPlugin } from '../loader.ts'
import type { Platform } from '../platform.ts'
import type { SecretOptions } from './public-text.ts'

/** How long a plugin whose code changes may be shown by what it said before. */
const KEPT_MS_MAX = 60_000
/** Plugins that are kept; beyond them all are asked again. */
const KEPT_MAX = 1000

interface Kept { readonly at: number, readonly secrets: ReadonlySet<string> }

/** By kind and name, of one platform. */
const keptOf = new WeakMap<object, Map<string, Kept>>()

/** Of the plugins of all pipelines, and of those that a text names. One that cannot be loaded now is asked again next time. */
export async function secretsOf ({ root, supervisor }: Pick<Platform, 'root' | 'supervisor'>, named: readonly UsedPlugin[] = []): Promise<SecretOptions> {
  const kept = keptOf.get(supervisor) ?? new Map<string, Kept>()
  keptOf.set(supervisor, kept)
  const wanted = new Map([...[...supervisor.files.pipelines.values()].flatMap(usedPlugins), ...named].map(plugin => [keyOf(plugin), plugin]))
  const now = Date.now()
  const known = new Map([...kept].filter(([, { at }]) => now - at < KEPT_MS_MAX))
  const missing = [...wanted].filter(([key]) => !known.has(key)).map(([, plugin]) => plugin)
  const told = missing.length === 0 ? [] : await readNamedPlugins(root, missing)
  for (const plugin of told) if (plugin.problem === undefined) known.set(keyOf(plugin), { at: now, secrets: secretsIn(plugin) })
  if (kept.size > KEPT_MAX) kept.clear()
  for (const [key, one] of known) kept.set(key, one)
  return new Map([...known].filter(([key]) => wanted.has(key)).map(([key, { secrets }]) => [key, secrets]))
}

function secretsIn ({ options }: ListedPlugin): ReadonlySet<string> {
  return new Set(Object.keys(options).filter(option => options[option]?.writeOnly === true))
}

function keyOf ({ kind, name }: UsedPlugin): string {
  return `${kind} ${name}`
}
