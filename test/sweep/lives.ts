// The lives of a process that does one operation: disturbed at a point, and then again without.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { endTogether } from '../child.ts'
import { WAIT_MS_MAX } from '../waiting.ts'
import { attach, tracedCommand } from './strace.ts'
import { parseTrace } from './trace.ts'
import type { Injection } from './strace.ts'
import type { Call } from './trace.ts'

export interface Life {
  /** What the process acknowledged last; 0: nothing. */
  readonly acknowledged: number
  /** Codes of the failures that it told of and went on after. */
  readonly failures: readonly string[]
  /** How it ended: `done`, `exit 1`, `SIGKILL`. */
  readonly end: string
  /** Whether a call was disturbed. */
  readonly hit: boolean
  readonly calls: readonly Call[]
}

const driver = join(import.meta.dirname, 'driver.ts')
const cache = join(import.meta.dirname, '../../node_modules/.cache/compiled')

interface Orders {
  readonly operation: string
  readonly folder: string
  /** Where strace writes. */
  readonly trace: string
}

/** One life that is disturbed once it is ready; without an injection it is only watched. `begins`: it is ready. */
export async function disturbedLife (orders: Orders, injection?: Injection, begins: () => void = () => {}): Promise<Life> {
  return live(orders, [], pid => {
    begins()
    return attach(pid, orders.trace, injection).then(tracer => tracer.ended.bind(tracer))
  })
}

/** One life that is watched from its first call on. */
export async function quietLife (orders: Orders): Promise<Life> {
  return live(orders, tracedCommand(orders.trace, []), async () => async () => {})
}

async function live ({ operation, folder, trace }: Orders, before: readonly string[], ready: (pid: number) => Promise<() => Promise<void>>): Promise<Life> {
  const [command, ...args] = [...before, process.execPath, driver, operation, folder]
  // One thread for files: a point is the k-th call of a thread.
  const child = spawn(command as string, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '1', NODE_COMPILE_CACHE: cache } })
  endTogether(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), WAIT_MS_MAX)
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => { errors = (errors + chunk.toString()).slice(-2000) })
  child.stdin.on('error', () => { /* it has ended already */ })
  const failures: string[] = []
  let acknowledged = 0
  let done = false
  let traced: Promise<() => Promise<void>> | undefined
  const lines = createInterface({ input: child.stdout })
  lines.on('line', line => {
    const [word, value = ''] = line.split(' ')
    if (word === 'ready') {
      traced = ready(Number(value))
      traced.then(() => child.stdin.write('go\n'), () => child.kill('SIGKILL'))
    } else if (word === 'ack') acknowledged = Number(value)
    else if (word === 'failed') failures.push(value)
    // What comes behind it is Node's end, and no part of the operation.
    else if (word === 'done') done = child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'close') as [number | null, string | null]
  clearTimeout(timer)
  if (traced === undefined) throw new Error(`${operation} did not begin: ${errors}`)
  await (await traced)()
  const calls = parseTrace(await readFile(trace, 'utf8'))
  const end = done ? 'done' : signal ?? `exit ${code}`
  return { acknowledged, failures, end, hit: end === 'SIGKILL' || calls.some(({ injected }) => injected), calls }
}
