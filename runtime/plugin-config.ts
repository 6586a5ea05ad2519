// From what the YAML says beside a plugin's name to the plugin's checked configuration.

import { checkYaml } from './check.ts'
import type { JsonSchema } from './check.ts'
import type { Path } from './problems.ts'
import type { Json, Option, Options, Plugin } from './plugin.ts'
import type { YamlFile } from './yaml.ts'

type Configurable = Pick<Plugin, 'options' | 'shorthand'>

const schemas = new WeakMap<Options, JsonSchema>()

/** The configuration with shorthand written out and defaults filled in. Throws one CONFIG_INVALID that lists all problems. */
export function checkConfig (plugin: Configurable, raw: Json, yaml: YamlFile, path: Path): Readonly<Record<string, Json>> {
  const { shorthand } = plugin
  const short = shorthand !== undefined && raw !== null && (typeof raw !== 'object' || Array.isArray(raw))
  return checkYaml(yaml, optionsSchema(plugin.options), {
    path,
    value: short ? { [shorthand]: raw } : raw ?? {},
    // A bare value stands where the plugin's name does.
    place: inside => [...path, ...(short && inside[0] === shorthand ? inside.slice(1) : inside)]
  })
}

/** Options as one JSON Schema; an option without a default is required. */
export function optionsSchema (options: Options): JsonSchema {
  const known = schemas.get(options)
  if (known !== undefined) return known
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: Object.keys(options).filter(name => !('default' in (options[name] as Option))),
    properties: Object.fromEntries(Object.entries(options).map(([name, option]) => [name, optionSchema(option)]))
  }
  schemas.set(options, schema)
  return schema
}

/** An option whose default is null may be null. */
export function optionSchema (option: Option): JsonSchema {
  if (option.default !== null || !('default' in option)) return { ...option }
  return { ...option, type: [option.type, 'null'], ...(option.enum !== undefined && { enum: [...option.enum, null] }) }
}
