// The configuration of a plugin as the runtime gives it: checked against the plugin's options, defaults filled in.

import { Ajv } from 'ajv'
import { optionsSchema } from '../../runtime/plugin-config.ts'
import type { Config, Json, Options } from '../../runtime/plugin.ts'

export function configure<O extends Options> (plugin: { readonly options: O }, given: Readonly<Record<string, Json>>): Config<O> {
  const ajv = new Ajv({ allErrors: true, useDefaults: true, strictTypes: false, strictRequired: false })
  const config = structuredClone(given)
  const check = ajv.compile(optionsSchema(plugin.options))
  if (!check(config)) throw new Error(ajv.errorsText(check.errors, { dataVar: 'config' }))
  return config as Config<O>
}
