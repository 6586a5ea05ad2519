// Single parts of a pipeline file are put in, changed and taken out, so that the rest of the file stays as it is written.

import { isSeq, parseDocument } from 'yaml'
import { mergeYaml } from '../control/definition.ts'
import { PlatformError } from '../errors.ts'
import { stepName } from './step-name.ts'
import { readYaml } from '../yaml.ts'
import type { Definition } from '../control/definition.ts'
import type { Json } from '../plugin.ts'

/** The file with another input; null takes it out. */
export function withInput (file: string, text: string, input: Definition | string | null): string {
  const { input: _, ...rest } = valueOf(file, text)
  if (input === null) return mergeYaml(text, rest)
  // Where the file has none, it belongs in front.
  return Object.hasOwn(valueOf(file, text), 'input') ? mergeYaml(text, { ...valueOf(file, text), input }) : mergeYaml(text, { input, ...rest })
}

/** The file with the output of that name changed, or added where there is none; null takes it out. Throws NOT_FOUND. */
export function withOutput (file: string, text: string, name: string, output: Definition | string | null): string {
  const value = valueOf(file, text)
  const outputs = (value['outputs'] ?? []) as readonly Json[]
  const at = outputs.findIndex(item => stepName('output', item) === name)
  if (output === null) {
    if (at < 0) throw new PlatformError('NOT_FOUND', `${file} has no output "${name}"`)
    if (outputs.length > 1) return edited(text, document => { document.deleteIn(['outputs', at]) })
    const { outputs: _, ...rest } = value
    return mergeYaml(text, rest)
  }
  const named = stepName('output', output) === name ? output : { name, ...typeof output === 'string' ? { [output]: {} } : output }
  if (at >= 0) return mergeYaml(text, { ...value, outputs: outputs.with(at, named) })
  if (outputs.length === 0) return mergeYaml(text, { ...value, outputs: [named] })
  return edited(text, document => { document.addIn(['outputs'], document.createNode(named)) })
}

function valueOf (file: string, text: string): Definition {
  const { value } = readYaml(file, text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new PlatformError('CONFIG_INVALID', `${file} is no map of keys`, { remedy: 'Send the whole definition of the pipeline.' })
  return value as Definition
}

function edited (text: string, change: (document: ReturnType<typeof parseDocument>) => void): string {
  const document = parseDocument(text)
  if (!isSeq(document.get('outputs'))) throw new PlatformError('CONFIG_INVALID', 'outputs is no list')
  change(document)
  return document.toString({ lineWidth: 0 })
}
