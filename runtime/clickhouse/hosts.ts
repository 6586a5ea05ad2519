// The hosts of one address, one of them in use. A statement goes to another host only where it is certain that no host
// has got it; what a statement did whose answer is lost, the read-back finds out.

import { Agent } from 'node:https'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import type { Address, Tls } from './address.ts'
import { classify, engineCode, neverSent } from './answers.ts'
import { assertSettings, readSettings } from './settings.ts'

const CONNECTIONS_MAX = 8
/** How long a host has for its first answer where there is another one. */
const FIRST_ANSWER_MS = 10_000

/** One host, of which is known that it takes the pinned settings. */
export interface Link {
  readonly client: ClickHouseClient
  /** Settings of an insert on this host. */
  readonly inserts: ClickHouseSettings
}

export class Hosts {
  readonly #address: Address
  readonly #clients: readonly ClickHouseClient[]
  readonly #links = new Map<number, Link>()
  #current = 0

  constructor (address: Address, tls: Tls, statementSeconds: number) {
    this.#address = address
    this.#clients = address.urls.map(url => createClient({
      url,
      ...(address.username !== '' && { username: address.username, password: address.password }),
      ...tlsOptions(address, tls),
      application: 'twolane',
      // The engine's own answer that the time is over should come first.
      request_timeout: statementSeconds * 1250 + 1000,
      max_open_connections: CONNECTIONS_MAX,
      clickhouse_settings: { ...readSettings, max_execution_time: statementSeconds },
      log: { level: ClickHouseLogLevel.OFF }
    }))
  }

  get client (): ClickHouseClient {
    return this.#clients[this.#current] as ClickHouseClient
  }

  /** Sends a statement to the host in use. A host that does not answer is not in use any more. Throws PlatformErrors. */
  async use<T> (statement: (link: Link) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let tried = 1; ; tried++) {
      const host = this.#current
      let sent = false
      try {
        const link = await this.#link(host, signal)
        // The client looks at the signal only while it waits.
        signal?.throwIfAborted()
        sent = true
        return await statement(link)
      } catch (error) {
        const silent = engineCode(error) === undefined && signal?.aborted !== true
        if (silent && this.#current === host) this.#current = (host + 1) % this.#clients.length
        if (!silent || tried >= this.#clients.length || (sent && !neverSent(error))) throw classify(error, this.#address.text)
      }
    }
  }

  async close (): Promise<void> {
    await Promise.all(this.#clients.map(client => client.close()))
  }

  async #link (host: number, signal: AbortSignal | undefined): Promise<Link> {
    const known = this.#links.get(host)
    if (known !== undefined) return known
    const client = this.#clients[host] as ClickHouseClient
    const { text: address, cluster } = this.#address
    const patience = this.#clients.length === 1 ? [] : [AbortSignal.timeout(FIRST_ANSWER_MS)]
    const signals = [...signal === undefined ? [] : [signal], ...patience]
    const inserts = await assertSettings(client, { address, cluster, signal: signals.length === 0 ? undefined : AbortSignal.any(signals) })
    const link = { client, inserts }
    this.#links.set(host, link)
    return link
  }
}

function tlsOptions ({ username, password }: Address, { ca, cert, key }: Tls): object {
  if (cert === undefined || key === undefined) return ca === undefined ? {} : { tls: { ca_cert: ca } }
  // The client's own option would leave the password out of it.
  const agent = { http_agent: new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, cert, key, ...(ca !== undefined && { ca }) }) }
  if (password !== '') return agent
  // Without a password the certificate says who the user is.
  return { ...agent, set_basic_auth_header: false, http_headers: { 'X-ClickHouse-User': username, 'X-ClickHouse-SSL-Certificate-Auth': 'on' } }
}
