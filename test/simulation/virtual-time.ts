// Time, chance and news of a simulated world. While it is installed, everything that this process asks for the time, a
// timer, a random number or a random id is answered from here, also the modules of Node.js themselves: so production code
// runs as it is, and the same seed gives the same run.
//
//   step: the earliest timer ▶ its callback ▶ all promises that this resolves, until nothing is left but timers
//
// A timer belongs to the process that set it. Those of a process that is dead never fire, those of one that is stopped
// (SIGSTOP) fire when it goes on.

import { AsyncLocalStorage } from 'node:async_hooks'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'
import threads from 'node:worker_threads'

/** A process of the platform, or a thread of one. */
export interface Process {
  readonly name: string
  readonly parent?: Process
  dead: boolean
  /** Virtual ms; it does nothing until then. */
  stoppedUntil: number
}

export class Timer {
  at: number
  readonly order: number
  readonly process: Process | undefined
  run: (() => void) | undefined

  constructor (at: number, order: number, process: Process | undefined, run: () => void) {
    this.at = at
    this.order = order
    this.process = process
    this.run = run
  }

  unref (): this { return this }
  ref (): this { return this }
}

/** A stream of numbers in [0, 1) that a seed determines. */
export function randomOf (seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const realImmediate = setImmediate

export class VirtualTime {
  /** ms since 1970. */
  now: number
  steps = 0
  readonly #random: () => number
  readonly #queue: Timer[] = []
  readonly #current = new AsyncLocalStorage<Process | undefined>()
  #order = 0

  constructor (now: number, seed: number) {
    this.now = now
    this.#random = randomOf(seed)
  }

  /** The one whose code runs now; undefined: none, it is a server or the world itself. */
  get process (): Process | undefined {
    return this.#current.getStore()
  }

  within<T> (process: Process | undefined, work: () => T): T {
    return this.#current.run(process, work)
  }

  /** Calls back after so many ms, in the name of the process; undefined: of a server, which nothing stops. */
  after (ms: number, run: () => void, process: Process | undefined): Timer {
    const timer = new Timer(this.now + Math.max(0, Number.isFinite(ms) ? ms : 0), this.#order++, process, run)
    this.#push(timer)
    return timer
  }

  sleep (ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        timer.run = undefined
        reject(signal?.reason)
      }
      const timer = this.after(ms, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, this.process)
      if (signal?.aborted === true) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** False: nothing will ever happen again. */
  async step (): Promise<boolean> {
    for (let timer = this.#pop(); timer !== undefined; timer = this.#pop()) {
      const { run, process } = timer
      if (run === undefined || isDead(process)) continue
      const goesOnAt = stoppedUntil(process)
      if (goesOnAt > timer.at) {
        timer.at = goesOnAt
        this.#push(timer)
        continue
      }
      this.now = Math.max(this.now, timer.at)
      this.steps++
      timer.run = undefined
      this.within(process, run)
      // All promises go on before it: there is no input or output that they could wait for.
      await new Promise(resolve => realImmediate(resolve))
      return true
    }
    return false
  }

  /** Returns what takes it back. */
  install (): () => void {
    const real = {
      date: Date.now,
      random: Math.random,
      global: { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate },
      timers: { setTimeout: timers.setTimeout, setImmediate: timers.setImmediate },
      uuid: crypto.randomUUID,
      channel: threads.BroadcastChannel
    }
    const clear = (timer?: Timer): void => { if (timer instanceof Timer) timer.run = undefined }
    const every = (run: () => void, ms: number, timer?: Timer): Timer => {
      const again = (): void => { run(); every(run, ms, first) }
      const first = timer ?? this.after(ms, again, this.process)
      if (timer !== undefined) {
        timer.at = this.now + ms
        timer.run = again
        this.#push(timer)
      }
      return first
    }
    Date.now = () => Math.floor(this.now)
    performance.now = () => this.now
    Math.random = this.#random
    Object.assign(globalThis, {
      setTimeout: (run: (...given: unknown[]) => void, ms = 1, ...given: unknown[]) => this.after(ms, () => run(...given), this.process),
      setImmediate: (run: (...given: unknown[]) => void, ...given: unknown[]) => this.after(0, () => run(...given), this.process),
      setInterval: every,
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear
    })
    Object.assign(timers, {
      setTimeout: async (ms = 1, value?: unknown, { signal }: { readonly signal?: AbortSignal } = {}) => { await this.sleep(ms, signal); return value },
      setImmediate: async (value?: unknown) => { await this.sleep(0); return value }
    })
    crypto.randomUUID = () => `${hex(this.#random)}-${hex(this.#random).slice(4)}-4${hex(this.#random).slice(5)}-a${hex(this.#random).slice(5)}-${hex(this.#random)}${hex(this.#random).slice(4)}` as ReturnType<typeof crypto.randomUUID>
    // A hint that there are rows: whoever waits looks for itself after a while.
    threads.BroadcastChannel = Silence as unknown as typeof threads.BroadcastChannel
    syncBuiltinESMExports()
    return () => {
      Date.now = real.date
      Math.random = real.random
      delete (performance as { now?: unknown }).now
      Object.assign(globalThis, real.global)
      Object.assign(timers, real.timers)
      crypto.randomUUID = real.uuid
      threads.BroadcastChannel = real.channel
      syncBuiltinESMExports()
    }
  }

  /** A heap: the earliest first, and of two of the same time the one that was set first. */
  #push (timer: Timer): void {
    const queue = this.#queue
    let i = queue.push(timer) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(timer, queue[parent] as Timer)) break
      queue[i] = queue[parent] as Timer
      i = parent
    }
    queue[i] = timer
  }

  #pop (): Timer | undefined {
    const queue = this.#queue
    const first = queue[0]
    const last = queue.pop()
    if (last === undefined || queue.length === 0) return first
    let i = 0
    for (let child = 1; child < queue.length; child = 2 * i + 1) {
      if (child + 1 < queue.length && isBefore(queue[child + 1] as Timer, queue[child] as Timer)) child++
      if (!isBefore(queue[child] as Timer, last)) break
      queue[i] = queue[child] as Timer
      i = child
    }
    queue[i] = last
    return first
  }
}

class Silence {
  onmessage: unknown
  unref (): this { return this }
  postMessage (): void {}
  close (): void {}
}

function isBefore (a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

export function isDead (process: Process | undefined): boolean {
  return process !== undefined && (process.dead || isDead(process.parent))
}

function stoppedUntil (process: Process | undefined): number {
  return process === undefined ? 0 : Math.max(process.stoppedUntil, stoppedUntil(process.parent))
}

function hex (random: () => number): string {
  return Math.floor(random() * 2 ** 32).toString(16).padStart(8, '0')
}
