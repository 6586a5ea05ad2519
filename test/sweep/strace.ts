// Debian's strace, which makes a system call of a process fail, or kills the process at it: the k-th one of each of its
// threads. What it writes down is also what durable.ts judges.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { WAIT_MS_MAX } from '../waiting.ts'

/** Calls that write, by what they do. Each has a counter of its own. */
export const calls = {
  write: ['write', 'pwrite64', 'writev', 'pwritev'],
  sync: ['fsync', 'fdatasync'],
  rename: ['rename', 'renameat', 'renameat2', 'link', 'linkat'],
  open: ['openat', 'open']
} as const
const more = ['mkdir', 'mkdirat', 'unlink', 'unlinkat']
const traced = [...Object.values(calls).flat(), ...more].join(',')

export type Fault = 'SIGKILL' | 'EIO' | 'ENOSPC'
export const faults: readonly Fault[] = ['SIGKILL', 'EIO', 'ENOSPC']

export interface Injection {
  readonly call: string
  readonly fault: Fault
  /** The first call of a thread is 1. */
  readonly at: number
}

/** Why nothing can be traced here; undefined: it can. */
export const straceMissing: string | undefined = (() => {
  const probe = spawnSync('strace', ['-f', '-qq', '-e', 'trace=write', '-e', 'inject=write:error=EIO:when=1', 'true'], { encoding: 'utf8' })
  if (probe.error !== undefined) return 'there is no strace: apt-get install strace'
  return probe.status === 0 ? undefined : `strace cannot trace here: ${probe.stderr.trim()}`
})()

function options (output: string, injection?: Injection): string[] {
  const inject = injection === undefined
    ? []
    : ['-e', `inject=${injection.call}:${injection.fault === 'SIGKILL' ? 'signal=SIGKILL' : `error=${injection.fault}`}:when=${injection.at}`]
  return ['-f', '-y', '-s', '60', '-e', 'signal=none', '-e', `trace=${traced}`, ...inject, '-o', output]
}

/** The command line of a program that is traced from its start. */
export function tracedCommand (output: string, command: readonly string[]): readonly string[] {
  return ['strace', '-qq', ...options(output), ...command]
}

/** Traces all threads of a process from now on; resolves when it does. */
export async function attach (pid: number, output: string, injection?: Injection): Promise<Tracer> {
  const child = spawn('strace', [...options(output, injection), '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  const said = Promise.withResolvers<void>()
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (/Process \d+ attached/.test(text)) said.resolve()
  })
  child.once('exit', () => said.reject(new Error(`strace ended: ${text}`)))
  const timer = setTimeout(() => said.reject(new Error(`strace did not attach: ${text}`)), WAIT_MS_MAX)
  await said.promise.finally(() => clearTimeout(timer))
  return new Tracer(child)
}

export class Tracer {
  readonly #child: ChildProcess

  constructor (child: ChildProcess) {
    this.#child = child
  }

  /** Lets the process go, when it has not ended by itself. */
  async detach (): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }

  /** Resolves when the traced process has ended. */
  async ended (): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}
