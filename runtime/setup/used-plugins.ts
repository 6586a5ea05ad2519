import type { UsedPlugin } from '../loader.ts'
import type { Pipeline } from '../pipeline.ts'

/** The plugins that a pipeline names. */
export function usedPlugins ({ input, transforms, outputs }: Pick<Pipeline, 'input' | 'transforms' | 'outputs'>): UsedPlugin[] {
  return [
    ...(input === undefined ? [] : [{ kind: 'input', name: input.plugin } as const]),
    ...transforms.map(({ plugin }) => ({ kind: 'transform', name: plugin } as const)),
    ...outputs.map(({ plugin }) => ({ kind: 'output', name: plugin } as const))
  ]
}
