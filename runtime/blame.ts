// Which step of a pipeline is to blame, as far as a stack trace tells.

import type { Pipeline, Step } from './pipeline.ts'

/** The step whose plugin's file is nearest to the top of a stack trace, such as `outputs.http`; undefined: none. */
export function stepIn (stack: string | undefined, { input, transforms, outputs }: Pick<Pipeline, 'input' | 'transforms' | 'outputs'>): string | undefined {
  const match = /[\\/]plugins[\\/](inputs|transforms|outputs)[\\/]([^\\/]+)[\\/]/.exec(stack ?? '')
  if (match === null) return undefined
  const groups: Readonly<Record<string, readonly Step[]>> = { inputs: input === undefined ? [] : [input], transforms, outputs }
  const names = (groups[match[1] as string] ?? []).filter(step => step.plugin === match[2]).map(step => step.name)
  // Two steps may share a plugin.
  return names.length === 0 ? `${match[1]}/${match[2]}` : names.join(' or ')
}
