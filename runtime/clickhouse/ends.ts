// Ends of the embedded engine's process: counted, and the newest ones remembered with the time and the reason.

/** `died`: by itself, or it did not start; `hung`: it did not answer and was ended; `asked`: it was restarted on purpose. */
export const endKinds = ['died', 'hung', 'asked'] as const
export type EndKind = typeof endKinds[number]

export interface EngineEnd {
  /** ms since 1970. */
  readonly at: number
  readonly kind: EndKind
  readonly reason: string
}

const REMEMBERED_MAX = 20

export class EngineEnds {
  #newest: readonly EngineEnd[] = []
  readonly #counts: Record<EndKind, number> = { died: 0, hung: 0, asked: 0 }

  /** The newest last, REMEMBERED_MAX at most. */
  get newest (): readonly EngineEnd[] {
    return this.#newest
  }

  /** Since the start of the platform. */
  get counts (): Readonly<Record<EndKind, number>> {
    return this.#counts
  }

  get all (): number {
    return endKinds.reduce((sum, kind) => sum + this.#counts[kind], 0)
  }

  add (end: EngineEnd): void {
    this.#counts[end.kind]++
    this.#newest = [...this.#newest, end].slice(-REMEMBERED_MAX)
  }
}
