// Two outputs must not fill one destination with the rows of one topic: each row would be there twice.

import { configInvalid } from './problems.ts'
import { datasetName } from './warehouse/views.ts'
import type { PlatformError } from './errors.ts'
import type { Interpolated } from './interpolate.ts'
import type { OutputPlugin, OutputPlace } from './plugin.ts'
import type { Problem } from './problems.ts'
import type { StepFile } from './step-file.ts'

/** The outputs of one pipeline file. */
export interface OutputsFile {
  readonly file: string
  readonly yaml: Interpolated
  readonly outputs: readonly StepFile[]
  readonly place: OutputPlace
}

/** The destinations of the pipelines so far. */
export class Targets {
  /** Plugin and target, to where it stands. */
  readonly #taken = new Map<string, string>()

  /** Takes the destinations of a pipeline, or none of them where another output has one already: then the error says which. */
  take ({ file, yaml, outputs, place }: OutputsFile): PlatformError | undefined {
    const own = new Map<string, string>()
    const problems: Problem[] = []
    for (const { step, plugin, place: placeOf } of outputs) {
      const target = (plugin as OutputPlugin).target?.(step.config, place)
      if (target === undefined) continue
      const key = JSON.stringify([step.plugin, target])
      const other = this.#taken.get(key) ?? own.get(key)
      // The target itself may hold a secret, such as a password in an address.
      if (other !== undefined) problems.push(yaml.problem(placeOf([]), `writes to the same destination as ${other}: every row would be there twice`))
      const shown = shownAs(step, place)
      const same = shown === undefined || other !== undefined ? undefined : this.#taken.get(shown) ?? own.get(shown)
      if (same !== undefined) problems.push(yaml.problem(placeOf([]), `stores the rows under the same name as ${same}, so the view \`data\` would show each twice: take one of them away, or give it another \`table\``))
      if (other !== undefined || same !== undefined) continue
      for (const one of [key, shown]) if (one !== undefined) own.set(one, `${step.name} of ${file}`)
    }
    if (problems.length > 0) return configInvalid(problems)
    for (const [key, where] of own) this.#taken.set(key, where)
    return undefined
  }
}

/** The rows of one topic in the views over warehouse and streaming database; undefined: the output has no part in them. */
function shownAs ({ plugin, config }: StepFile['step'], { topic }: OutputPlace): string | undefined {
  if (config['url'] !== null || (plugin !== 'streaming-database' && plugin !== 'warehouse')) return undefined
  const table = String(config['table'] ?? config['schema'] ?? topic)
  return JSON.stringify(['views', plugin === 'warehouse' ? table : datasetName({ database: String(config['database']), table }), topic])
}
