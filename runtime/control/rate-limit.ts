// How often one client may ask. A bucket a client fills at a steady rate up to a bound; a request takes one out.

/** Clients that are remembered; beyond that the one longest unseen is forgotten, and begins anew. */
const CLIENTS_MAX = 10_000

interface Bucket {
  tokens: number
  at: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export class RateLimit {
  readonly #rate: Rate
  readonly #buckets = new Map<string, Bucket>()

  constructor (rate: Rate) {
    this.#rate = rate
  }

  /** Takes one; 0, or the seconds until there is one again. `now` on the monotonic clock, ms. `rate`: where this client has one of its own. */
  take (client: string, now: number, rate = this.#rate): number {
    const bucket = this.#fill(client, now, rate)
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / rate.perSecond)
    bucket.tokens--
    return 0
  }

  #fill (client: string, now: number, { perSecond, burst }: Rate): Bucket {
    const known = this.#buckets.get(client)
    const bucket = known === undefined ? { tokens: burst, at: now } : { tokens: Math.min(burst, known.tokens + (now - known.at) / 1000 * perSecond), at: now }
    // The order of a Map is that of insertion: the first one is the longest unseen.
    this.#buckets.delete(client)
    this.#buckets.set(client, bucket)
    if (this.#buckets.size > CLIENTS_MAX) this.#buckets.delete(this.#buckets.keys().next().value as string)
    return bucket
  }
}
