// One point of the sweep: a life that is disturbed there, what is left of it, and a life that goes on undisturbed.

import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Durability } from './durable.ts'
import { disturbedLife, quietLife } from './lives.ts'
import { operationNamed } from './operation.ts'
import { countCalls } from './trace.ts'
import type { Found, Operation } from './operation.ts'
import type { Injection } from './strace.ts'

export interface Outcome extends Found {
  /** False: there is no such call; nothing was disturbed. */
  readonly hit: boolean
  /** How the disturbed life ended, and what it told of: `SIGKILL`, `went on after DISK_FULL`. */
  readonly end: string
  /** What a power cut could have taken although it was acknowledged, such as `name rows.db`. */
  readonly promised: readonly string[]
}

/** The files of an operation as they are before it. Each point gets a copy. */
export class Swept {
  readonly name: string
  readonly #operation: Operation
  readonly #folder: string
  #points = 0

  private constructor (name: string, operation: Operation, folder: string) {
    this.name = name
    this.#operation = operation
    this.#folder = folder
  }

  static async open (name: string): Promise<Swept> {
    const operation = await operationNamed(name)
    const folder = await mkdtemp(join(tmpdir(), 'twolane-sweep-'))
    await mkdir(join(folder, 'before'))
    await operation.prepare(join(folder, 'before'))
    return new Swept(name, operation, folder)
  }

  /** How often a life that nobody disturbs makes each call. */
  async count (): Promise<ReadonlyMap<string, number>> {
    const { folder, trace } = await this.#copy()
    const { calls } = await disturbedLife({ operation: this.name, folder, trace })
    await rm(folder, { recursive: true })
    return countCalls(calls)
  }

  async at (injection: Injection): Promise<Outcome> {
    const { folder, trace } = await this.#copy()
    const durability = new Durability(folder)
    const orders = { operation: this.name, folder, trace }
    const life = await disturbedLife(orders, injection, () => durability.begin())
    const promised = durability.follow(life.calls)
    // A start of its own: the one below mends what is missing.
    const left = `${folder}.left`
    await cp(folder, left, { recursive: true })
    const found = await this.#operation.check(left, life.acknowledged)
    const next = await quietLife(orders)
    promised.push(...durability.follow(next.calls))
    const after = await this.#operation.check(folder, Math.max(life.acknowledged, next.acknowledged))
    for (const path of [folder, left, trace]) await rm(path, { recursive: true })
    const half = after.half + found.half + (next.end === 'done' ? 0 : 1)
    const wrong = { lost: found.lost + after.lost, doubled: Math.max(found.doubled, after.doubled), half }
    return { ...wrong, hit: life.hit, end: life.failures.length === 0 ? life.end : `${life.end} after ${life.failures.join(', ')}`, promised: [...new Set(promised)].map(what => what.replace(`${folder}/`, '')) }
  }

  async close (): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #copy (): Promise<{ readonly folder: string, readonly trace: string }> {
    const folder = join(this.#folder, String(++this.#points))
    await cp(join(this.#folder, 'before'), folder, { recursive: true })
    return { folder, trace: `${folder}.trace` }
  }
}
