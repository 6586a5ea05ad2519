import type { Context } from '../../../runtime/plugin.ts'

/** Where the connector stands; each phase is a state of its health. */
export type Phase = 'connecting' | 'needs_login' | 'competing' | 'streaming' | 'reading'
/** What is wrong besides the phase, each kind at most once. */
export type Trouble = 'stale' | 'instruments' | 'lines' | 'rights' | 'delayed' | 'penalty' | 'overflow' | 'rest'

/** The connector's health: one phase, and the troubles that are on. Reports only what changed. */
export class Status {
  readonly #context: Pick<Context, 'health'>
  #phase: Phase = 'connecting'
  #reason: string | undefined
  readonly #troubles = new Map<Trouble, string>()
  #reported = ''

  constructor (context: Pick<Context, 'health'>) {
    this.#context = context
  }

  get phase (): Phase {
    return this.#phase
  }

  enter (phase: Phase, reason?: string): void {
    this.#phase = phase
    this.#reason = reason
    this.#report()
  }

  /** Sets what is wrong, or takes it back. */
  trouble (kind: Trouble, text: string | undefined): void {
    if (this.#troubles.get(kind) === text) return
    if (text === undefined) this.#troubles.delete(kind)
    else this.#troubles.set(kind, text)
    this.#report()
  }

  #report (): void {
    const state = this.#phase === 'streaming' && this.#troubles.has('stale') ? 'stale' : this.#phase
    const reason = [this.#reason, ...this.#troubles.values()].filter(text => text !== undefined).join(' ')
    const key = `${state} ${reason}`
    if (key === this.#reported) return
    this.#reported = key
    this.#context.health({ ok: (state === 'streaming' || state === 'reading') && this.#troubles.size === 0, state, ...(reason !== '' && { reason }) })
  }
}
