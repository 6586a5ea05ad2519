// A step as it stands in a file, and as a form has it: `{ http: { url: … }, name: other, flush: … }`, or a text alone.

import type { Values } from '../../parts/form.ts'
import type { Options, Plugin } from './shapes.ts'

export interface StepForm {
  readonly options: Values
  /** What stands beside the plugin: its name, flush, retries. */
  readonly beside: Options
}

/** The form of a step that is written as `written`. */
export function formOf (written: unknown, plugin: Plugin): StepForm {
  if (typeof written !== 'object' || written === null) return { options: {}, beside: {} }
  const { [plugin.name]: own, ...beside } = written as Record<string, unknown>
  if (typeof own === 'object' && own !== null) return { options: own as Values, beside }
  return { options: own === undefined || own === null || plugin.shorthand === undefined ? {} : { [plugin.shorthand]: own }, beside }
}

/** What is written of a form. */
export function stepOf ({ options, beside }: StepForm, plugin: Plugin): Options {
  const { name, ...rest } = beside
  return { ...(name !== undefined && { name }), [plugin.name]: options, ...rest }
}

/** The name under which a step of a list is known: its own, or that of its plugin. */
export function nameOf (written: unknown, plugins: readonly Plugin[]): string {
  if (typeof written === 'string') return written
  if (typeof written !== 'object' || written === null) return ''
  const { name } = written as { readonly name?: unknown }
  return typeof name === 'string' ? name : Object.keys(written).find(key => plugins.some(plugin => plugin.name === key)) ?? Object.keys(written)[0] ?? ''
}
