// Runs a program and says what it took, from its start to its end.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { endTogether } from '../../child.ts'

export interface Taken {
  readonly seconds: number
  /** User and system, of all its threads, as its parent is told at its end. */
  readonly cpuSeconds: number
  /** Resident at the most. */
  readonly peakMiB: number
}

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What it prints goes into this file. */
  readonly output?: string
  /** For one that never ends by itself: resolves when its work is done, and it gets SIGTERM. */
  readonly done?: () => Promise<void>
}

const LOOK_MS = 50
const SECONDS_MAX = 240
/** What a program says when it fails is at its end. */
const SHOWN_CHARACTERS = 2000

/** Rejects where the program fails. */
export async function run ({ command, args, env, output, done }: Program): Promise<Taken> {
  const file = output === undefined ? undefined : openSync(output, 'w')
  const began = performance.now()
  // The shell waits for the program, and is told what it took; its own time is nothing beside.
  const shell = spawn('sh', ['-c', '"$@" 3>&- & pid=$!; echo $pid >&3; wait $pid; code=$?; times >&3; exit $code', 'sh', command, ...args], {
    stdio: ['ignore', file ?? 'pipe', 'pipe', 'pipe'], env: { ...process.env, ...env }
  })
  if (file !== undefined) closeSync(file)
  endTogether(shell)
  let [told, said] = ['', '']
  shell.stdio[3]?.on('data', (text: Buffer) => { told += String(text) })
  const read = (text: Buffer): void => { said = (said + String(text)).slice(-SHOWN_CHARACTERS) }
  shell.stderr?.on('data', read)
  shell.stdout?.on('data', read)
  let peakMiB = 0
  const pid = (): number => Number(/^\d+/.exec(told)?.[0] ?? 0)
  const timer = setInterval(() => { if (pid() > 0) void peakOf(pid()).then(mib => { peakMiB = Math.max(peakMiB, mib) }) }, LOOK_MS)
  const limit = setTimeout(() => { said += `\nIt took more than ${SECONDS_MAX} s.`; kill(pid(), 'SIGKILL') }, SECONDS_MAX * 1000)
  const ended = once(shell, 'close')
  let stopped = false
  try {
    if (done !== undefined) await Promise.race([done().then(() => { stopped = true }), ended])
  } finally {
    if (done !== undefined) kill(pid(), 'SIGTERM')
  }
  const [code] = await ended as [number | null]
  clearInterval(timer)
  clearTimeout(limit)
  if (code !== 0 && !stopped) throw new Error(`${command} ended with ${code}: ${said}`)
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: childrenSeconds(told), peakMiB }
}

function kill (pid: number, signal: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, signal)
  } catch { /* It has ended already. */ }
}

async function peakOf (pid: number): Promise<number> {
  // It may have ended since.
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

/** The second line of the shell's `times`: `0m1.230000s 0m0.450000s`. */
function childrenSeconds (told: string): number {
  const [, user = '', system = ''] = /(\S+) (\S+)\s*$/.exec(told) ?? []
  const seconds = (text: string): number => {
    const [, minutes = NaN, rest = NaN] = /^(\d+)m([\d.]+)s$/.exec(text) ?? []
    return Number(minutes) * 60 + Number(rest)
  }
  return seconds(user) + seconds(system)
}
