// What a plugin's default export must look like.

import { Ajv } from 'ajv'
import { PlatformError } from './errors.ts'
import { quote, suggest } from './problems.ts'
import { optionSchema } from './plugin-config.ts'
import type { Option, Plugin } from './plugin.ts'

const ajv = new Ajv({ strict: false })
const optionTypes = ['string', 'number', 'integer', 'boolean', 'array', 'object']
const guarantees = ['exactly once', 'idempotent', 'at least once']
const functions = { input: 'read', transform: 'open', output: 'open' } as const
const optionalFunctions: Readonly<Record<Plugin['kind'], readonly string[]>> = { input: ['probe', 'interval'], transform: [], output: ['probe', 'target'] }
const definers = { input: 'defineInput', transform: 'defineTransform', output: 'defineOutput' } as const

/** Throws PLUGIN_INVALID that lists all that is wrong; `where` is the module. */
export function checkShape (exported: unknown, kind: Plugin['kind'], where: string): Plugin {
  const invalid = (faults: readonly string[]): PlatformError => new PlatformError('PLUGIN_INVALID', faults.join('; '), {
    where, remedy: `A plugin is the default export of its module: export default ${definers[kind]}({ … }).`
  })
  if (typeof exported !== 'object' || exported === null) throw invalid(['has no default export that is an object'])
  const plugin = exported as Readonly<Record<string, unknown>>
  if (plugin['kind'] !== kind) throw invalid([`is ${typeof plugin['kind'] === 'string' ? `of the kind ${quote(plugin['kind'])}` : 'of no kind'}, but stands where ${kind === 'transform' ? 'a' : 'an'} ${kind} does`])

  const faults: string[] = []
  const call = functions[kind]
  if (typeof plugin['description'] !== 'string' || plugin['description'].trim() === '') faults.push('has no description')
  if (typeof plugin[call] !== 'function') faults.push(`has no function ${call}()`)
  faults.push(...optionalFunctions[kind].filter(name => !['undefined', 'function'].includes(typeof plugin[name])).map(name => `${name} is no function`))
  if (kind === 'input' && ![undefined, true].includes(plugin['bounded'] as true | undefined)) faults.push('bounded must be true, or left out')
  if (kind === 'output' && !guarantees.includes(plugin['guarantee'] as string)) faults.push(`guarantee must be one of ${guarantees.map(quote).join(', ')}`)
  if (typeof plugin['options'] !== 'object' || plugin['options'] === null || Array.isArray(plugin['options'])) faults.push('has no options; write {} for none')
  else {
    const options = plugin['options'] as Readonly<Record<string, Option>>
    for (const [name, option] of Object.entries(options)) faults.push(...optionFaults(name, option))
    const { shorthand } = plugin
    if (shorthand !== undefined && !Object.hasOwn(options, shorthand as string)) faults.push(`shorthand ${quote(String(shorthand))} is no option${suggest(String(shorthand), Object.keys(options))}`)
  }
  if (faults.length > 0) throw invalid(faults)
  return exported as Plugin
}

function optionFaults (name: string, option: unknown): string[] {
  const at = `options.${name}`
  if (!/^[a-z][a-z0-9_]*$/.test(name)) return [`${at}: a name has small letters, digits and _`]
  if (typeof option !== 'object' || option === null) return [`${at}: must be an object with type and description`]
  const { type, description } = option as Partial<Option>
  const faults: string[] = []
  if (!optionTypes.includes(type as string)) faults.push(`${at}.type must be one of ${optionTypes.join(', ')}`)
  if (typeof description !== 'string' || description.trim() === '') faults.push(`${at}.description is missing`)
  return faults.length > 0 ? faults : schemaFaults(at, option as Option)
}

function schemaFaults (at: string, option: Option): string[] {
  try {
    const validate = ajv.compile(optionSchema(option))
    if ('default' in option && !validate(option.default)) return [`${at}.default ${validate.errors?.[0]?.message ?? 'is not valid'}`]
  } catch (error) {
    return [`${at}: ${(error as Error).message}`]
  }
  return []
}
