// A terminal that keeps what a command says.

import type { Environment } from '../../../runtime/interpolate.ts'
import type { Terminal } from '../../../runtime/cli/terminal.ts'

export interface Captured {
  readonly terminal: Terminal
  readonly lines: string[]
  readonly complaints: string[]
}

export function capture (root: string, env: Environment = {}, folder = root): Captured {
  const lines: string[] = []
  const complaints: string[] = []
  return { lines, complaints, terminal: { root, folder, env, print: line => { lines.push(line) }, complain: line => { complaints.push(line) } } }
}
