// What goes wrong in a world, and where. Every call that leaves a process is a point with a number; what happens at it
// depends on the seed and that number alone, so that leaving one fault out leaves the others as they are.

import { isDead, randomOf } from './virtual-time.ts'
import type { Process, VirtualTime } from './virtual-time.ts'

export const faultKinds = ['delay', 'lost', 'unanswered', 'partial', 'late', 'repeated', 'crash', 'pause', 'restart'] as const
/**
 * delay        the answer takes up to 20 s
 * lost         it never got there; the caller gets an error
 * unanswered   it was done; the caller gets an error
 * partial      some of it was done; the caller gets an error
 * late         the caller gets an error, and it is done up to 20 s later
 * repeated     it is done twice
 * crash        the process that calls is gone, before it is done or after
 * pause        the process that calls is stopped for up to 20 s; another one may take its place
 * restart      the server that is called ends, with all that it had begun
 */
export type FaultKind = typeof faultKinds[number]

export interface Fault {
  readonly point: number
  readonly kind: FaultKind
  readonly name: string
}

/** What a call may suffer besides a delay, a loss, a crash and a pause. */
export interface CallOptions {
  readonly may?: readonly FaultKind[]
  /** What the caller gets where it gets an error. */
  readonly error: () => Error
  /** It is done by the process itself: when that is gone it is not done. */
  readonly inProcess?: true
  readonly signal?: AbortSignal | undefined
}

/** What kills and stops. */
export interface Disasters {
  crash (process: Process): void
  pause (process: Process, ms: number): void
}

const often: readonly FaultKind[] = ['delay', 'lost', 'crash', 'pause']
export const DELAY_MS_MAX = 20_000
const rates = [0.01, 0.03, 0.1, 0.2]
/** A process that ends at every tenth call does nothing else. */
const rareness: Partial<Record<FaultKind, number>> = { crash: 0.3, pause: 0.15, restart: 0.2, delay: 0.5 }

export class Faults {
  /** Those that happened. */
  readonly happened: Fault[] = []
  /** False: from now on all goes well. */
  on = true
  readonly trace: string[] = []
  readonly #seed: number
  readonly #time: VirtualTime
  readonly #only: ReadonlySet<number> | undefined
  readonly #enabled: ReadonlySet<FaultKind>
  readonly #rate: number
  readonly #disasters: Disasters
  #points = 0

  /** `only`: points that may have a fault; undefined: all. */
  constructor (seed: number, time: VirtualTime, disasters: Disasters, only?: ReadonlySet<number>) {
    this.#seed = seed
    this.#time = time
    this.#disasters = disasters
    this.#only = only
    // Not all kinds in all worlds: some bugs hide where everything fails.
    const random = randomOf(seed * 7919 + 1)
    this.#rate = rates[Math.floor(random() * rates.length)] as number
    this.#enabled = new Set(faultKinds.filter(() => random() < 0.6))
  }

  note (text: string): void {
    this.trace.push(`${String(this.#points).padStart(6)} ${(this.#time.now % 1e8 / 1000).toFixed(3).padStart(9)}s  ${(this.#time.process?.name ?? '').padEnd(14)} ${text}`)
  }

  /** One call. `effect` is what it does at the other side; told to do a part of it, it does. `restart` ends the server. */
  call<T> (name: string, { may = [], error, inProcess, signal }: CallOptions, effect: (part?: 'partial') => T | Promise<T>, restart?: () => void): Promise<T> {
    const time = this.#time
    const { process } = time
    if (process === undefined) return Promise.resolve(effect())
    const point = ++this.#points
    const random = randomOf(this.#seed ^ Math.imul(point, 0x9e3779b1))
    const kind = this.#decide(point, name, [...often, ...may], random)
    this.note(kind === undefined ? name : `${name}  ◀ ${kind}`)
    const before = random() < 0.5
    const travel = (): number => random() * 4
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const answer = (ms: number, run: () => void): void => { time.after(ms, run, process) }
    const fail = (): void => answer(travel(), () => reject(error()))
    const done = async (part?: 'partial'): Promise<T | undefined> => {
      try {
        return await effect(part)
      } catch (failure) {
        answer(travel(), () => reject(failure as Error))
        throw failure
      }
    }
    const go = async (): Promise<void> => {
      if (isDead(process) && inProcess === true) return
      try {
        const result = await done(kind === 'partial' ? 'partial' : undefined)
        if (kind === 'repeated') await done()
        if (kind === 'unanswered' || kind === 'partial') fail()
        else answer(kind === 'delay' ? random() * DELAY_MS_MAX : travel(), () => resolve(result as T))
        if (kind === 'crash') this.#disasters.crash(process)
      } catch { /* the caller has been told */ }
    }
    const send = (ms: number): void => { time.after(ms, () => { void go() }, inProcess === true ? process : undefined) }
    signal?.addEventListener('abort', fail, { once: true })
    if (kind === 'restart') time.after(random() * 20, () => restart?.(), undefined)
    if (kind === 'lost') fail()
    else if (kind === 'crash' && before) this.#disasters.crash(process)
    else if (kind === 'late') {
      fail()
      send(1000 + random() * DELAY_MS_MAX)
    } else {
      if (kind === 'pause') this.#disasters.pause(process, random() * DELAY_MS_MAX)
      send(travel())
    }
    return promise.finally(() => signal?.removeEventListener('abort', fail))
  }

  #decide (point: number, name: string, kinds: readonly FaultKind[], random: () => number): FaultKind | undefined {
    const [chance, which, rare] = [random(), random(), random()]
    if (!this.on || chance >= this.#rate || (this.#only !== undefined && !this.#only.has(point))) return undefined
    const offered = kinds.filter(kind => this.#enabled.has(kind))
    const kind = offered[Math.floor(which * offered.length)]
    if (kind === undefined || rare >= (rareness[kind] ?? 1)) return undefined
    this.happened.push({ point, kind, name })
    return kind
  }
}
