// `twolane simulate`: a source that behaves like the real one, until Ctrl-C.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { folderPlugins } from '../loader.ts'
import { suggest } from '../problems.ts'
import { UsageError } from './terminal.ts'
import type { Terminal } from './terminal.ts'

interface Simulator {
  /** Undefined: there was only something to print. */
  main (args: readonly string[]): Promise<{ close (): Promise<void> } | undefined>
}

/** Simulators are `simulator/cli.ts` in the folders of inputs. */
export async function run (args: readonly string[], { root, signal }: Terminal): Promise<number> {
  const [source = '', ...rest] = args
  const file = (name: string): string => join(root, 'plugins', 'inputs', name, 'simulator', 'cli.ts')
  const sources = (await folderPlugins(root, 'input')).filter(name => existsSync(file(name)))
  if (!sources.includes(source)) throw new UsageError(source === '' ? `A source must be named: ${sources.join(', ')}` : `There is no simulator of ${JSON.stringify(source)}${suggest(source, sources)}`)
  const { main } = await import(pathToFileURL(file(source)).href) as Simulator
  const simulator = await main(rest)
  if (simulator === undefined) return 0
  if (signal?.aborted !== true) await new Promise<void>(resolve => { signal?.addEventListener('abort', () => resolve(), { once: true }) })
  await simulator.close()
  return 0
}
