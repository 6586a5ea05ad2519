// All live streams of the platform. Each dataset that somebody listens to is read by one thread.

import { askerOf } from '../data/stream.ts'
import { PlatformError } from '../errors.ts'
import { feedsOf, identityOf } from './feeds.ts'
import { Feed } from './feed.ts'
import { liveLimits, LOOK_MS } from './limits.ts'
import { before } from './before.ts'
import { Subscriber } from './subscriber.ts'
import { subscriptionOf } from './subscription.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { LiveLimits } from './limits.ts'
import type { Pipe } from './subscriber.ts'
import type { LiveAsk, Subscription } from './subscription.ts'

interface OpenFeed {
  readonly feed: Feed
  readonly identity: string
  /** When the last member left; undefined: there are some. */
  idleSince: number | undefined
}

export class LiveHub {
  readonly #platform: Platform
  readonly #limits: LiveLimits
  readonly #feeds = new Map<string, OpenFeed>()
  readonly #subscribers = new Set<Subscriber>()
  readonly #timer: NodeJS.Timeout

  constructor (platform: Platform, limits: LiveLimits = liveLimits) {
    this.#platform = platform
    this.#limits = limits
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** Streams under way. */
  get subscribers (): number {
    return this.#subscribers.size
  }

  /**
   * Resolves when the stream begins: then `open` gives the pipe that carries it. Throws before that NOT_FOUND,
   * REQUEST_INVALID, TOO_MANY_REQUESTS, SOURCE_UNAVAILABLE.
   */
  async subscribe (principal: Principal, ask: LiveAsk, open: (subscription: Subscription) => Pipe): Promise<Subscriber> {
    const subscription = subscriptionOf(ask, this.#platform, principal)
    this.#checkRoom(principal)
    const feed = this.#feedOf(subscription)
    await feed.opened()
    const ended = new AbortController()
    const past = await before(this.#platform, subscription, { principal, catchUpRowsMax: this.#limits.catchUpRowsMax, signal: ended.signal })
    this.#checkRoom(principal)
    const subscriber: Subscriber = new Subscriber({
      principal,
      subscription,
      pipe: open(subscription),
      limits: this.#limits,
      takeRows: rows => this.#platform.access.takeRows(principal, rows),
      onEnd: () => {
        ended.abort()
        this.#subscribers.delete(subscriber)
      }
    })
    this.#subscribers.add(subscriber)
    void subscriber.run(feed, past)
    return subscriber
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    for (const subscriber of this.#subscribers) subscriber.finish({ code: 'ENDED', detail: 'The platform stops', resumable: true })
    const feeds = [...this.#feeds.values()]
    this.#feeds.clear()
    await Promise.all(feeds.map(({ feed }) => feed.close('The platform stops')))
  }

  #checkRoom (principal: Principal): void {
    const { subscribersMax, subscribersOfOneMax } = this.#limits
    const asker = askerOf(principal)
    let own = 0
    for (const subscriber of this.#subscribers) if (askerOf(subscriber.principal) === asker) own++
    if (own >= subscribersOfOneMax) throw new PlatformError('TOO_MANY_REQUESTS', `You have ${own} live streams already`, { remedy: 'End one of them; one stream takes many symbols.' })
    if (this.#subscribers.size >= subscribersMax) throw new PlatformError('TOO_MANY_REQUESTS', `${subscribersMax} live streams are open already`, { remedy: 'Try again later.' })
  }

  #feedOf ({ dataset, feeds }: Subscription): Feed {
    const identity = identityOf(feeds, this.#platform.supervisor.schemas)
    const known = this.#feeds.get(dataset)
    if (known !== undefined && known.identity === identity) {
      known.idleSince = undefined
      return known.feed
    }
    if (known !== undefined) this.#end(dataset, known, 'Its pipeline has changed')
    const feed: Feed = new Feed(this.#platform, feeds, { dataset, onEnd: () => { if (this.#feeds.get(dataset)?.feed === feed) this.#feeds.delete(dataset) } })
    this.#feeds.set(dataset, { feed, identity, idleSince: undefined })
    return feed
  }

  #end (dataset: string, { feed }: OpenFeed, reason: string): void {
    this.#feeds.delete(dataset)
    // What still hangs is terminated.
    void feed.close(reason)
  }

  #look (): void {
    const now = performance.now()
    for (const subscriber of this.#subscribers) subscriber.look(now)
    for (const [dataset, open] of this.#feeds) {
      const identity = identityOf(feedsOf(dataset, this.#platform.supervisor), this.#platform.supervisor.schemas)
      open.idleSince = open.feed.members > 0 ? undefined : open.idleSince ?? now
      if (identity !== open.identity) this.#end(dataset, open, 'Its pipeline has changed')
      else if (open.idleSince !== undefined && now - open.idleSince > this.#limits.lingerMs) this.#end(dataset, open, 'Nobody listens')
    }
  }
}
