// From one page to the next.

import LinkHeader from 'http-link-header'
import { PlatformError } from '../../../runtime/errors.ts'
import { at, pointer } from '../../../runtime/json-pointer.ts'
import { place, refused } from './client.ts'
import { Template } from './template.ts'
import type { Interval } from '../../../runtime/data-interval.ts'
import type { Pointer } from '../../../runtime/json-pointer.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { Answer, Asked } from './client.ts'
import type { HttpConfig, Paging } from './options.ts'
import type { Page } from './page.ts'
import type { Values } from './template.ts'

/** What all pages of one pass have in common. */
export interface Pass extends Partial<Interval> {
  /** The greatest value that earlier passes have taken. */
  readonly since?: Ordered
}

/** Where a pass stands: the page to ask for. */
export interface Place {
  /** Pages, and the rows of them, before this one. */
  readonly pages: number
  readonly rows: number
  readonly cursor?: string
  /** Address of the page, without the parameters that the configuration knows: there may be keys among them. */
  readonly link?: string
  /** Names of those parameters. */
  readonly without?: readonly string[]
}

export const firstPlace: Place = { pages: 0, rows: 0 }

export class Pager {
  readonly #config: HttpConfig
  readonly #paging: Paging
  readonly #template: Template
  readonly #next: Pointer | undefined
  readonly #more: Pointer | undefined
  readonly #seen = new Set<string>()

  constructor (config: HttpConfig) {
    this.#config = config
    this.#paging = config.paging
    this.#template = new Template(config)
    this.#next = config.paging.next === undefined ? undefined : pointer(config.paging.next)
    this.#more = config.paging.more === undefined ? undefined : pointer(config.paging.more)
  }

  /** The request for a page. */
  ask (pass: Pass, from: Place): Asked {
    const { first, size, end_statuses: ends } = this.#paging
    const { body } = this.#config
    const values = { from: pass.from, to: pass.to, since: pass.since, size, cursor: from.cursor, page: (first ?? 1) + from.pages, offset: (first ?? 0) + from.rows }
    const url = from.link === undefined ? this.#address(values) : this.#withKnown(from.link, from.without ?? [])
    const { auth } = this.#config
    if (auth.kind === 'query') url.searchParams.set(auth.name, auth.value)
    return {
      url,
      body: body === null ? undefined : JSON.stringify(this.#template.json(body, values)),
      accept: from.pages > 0 ? ends : []
    }
  }

  #address (values: Values): URL {
    const { kind, parameter, size, size_parameter: sizeParameter } = this.#paging
    const { url: address, query, incremental } = this.#config
    const { since } = values
    const url = new URL(this.#template.text(address, values, encodeURIComponent) ?? unknown(address))
    for (const [name, value] of Object.entries(query)) {
      const text = this.#template.text(String(value), values)
      if (text !== undefined) url.searchParams.set(name, text)
    }
    if (incremental?.parameter !== undefined && since !== undefined) url.searchParams.set(incremental.parameter, this.#template.since(since))
    if (sizeParameter !== undefined && size !== undefined) url.searchParams.set(sizeParameter, String(size))
    const position = kind === 'page' ? values.page : kind === 'offset' ? values.offset : kind === 'cursor' ? values.cursor : undefined
    // A template has it where it wants it, unless a name says otherwise.
    const name = parameter ?? (this.#templated(kind) ? undefined : kind)
    if (position !== undefined && name !== undefined) url.searchParams.set(name, String(position))
    return url
  }

  /** The page behind `page`; undefined: it was the last one. Throws SOURCE_REFUSED where the source would go round for ever. */
  next (from: Place, page: Page, answer: Answer): Place | undefined {
    const behind = { pages: from.pages + 1, rows: from.rows + page.length }
    const { kind } = this.#paging
    const more = this.#more === undefined ? undefined : at(page.json, this.#more)
    if (more === false || (this.#more !== undefined && !more)) return undefined
    switch (kind) {
      case 'none':
      case 'window': return undefined
      // Behind a page that is not full there may be rows by now that its rest, which nobody asks for again, comes before.
      case 'page': return page.length === 0 || this.short(page) ? undefined : behind
      case 'offset': return page.length === 0 ? undefined : behind
      case 'cursor': return this.#cursor(behind, from, page, answer)
      case 'link': return this.#link(behind, page, answer)
    }
  }

  /** The page has rows, and fewer than were asked for: the last one, unless the source never gives as many. */
  short (page: Page): boolean {
    const { kind, size } = this.#paging
    return kind === 'page' && size !== undefined && this.#more === undefined && page.length > 0 && page.length < size
  }

  /** A new pass may ask for the same places. */
  begin (): void {
    this.#seen.clear()
  }

  #cursor (behind: Place, from: Place, page: Page, answer: Answer): Place | undefined {
    const { field } = this.#paging
    const found = field === undefined ? at(page.json, this.#next as Pointer) : page.last(field)
    if (found === undefined || found === null || found === '' || found === false) return undefined
    if (typeof found !== 'string' && typeof found !== 'number') throw refused(`The next cursor is ${JSON.stringify(found)?.slice(0, 100)}, which is neither a text nor a number`, answer.url, 'Check paging.next.')
    const cursor = String(found)
    if (cursor === from.cursor) throw refused(`The source gives the cursor ${JSON.stringify(cursor)} that was just used: it would go round for ever`, answer.url, 'Check paging.next, and that the source takes the cursor where paging.parameter puts it.')
    this.#once(`cursor ${cursor}`, answer)
    return { ...behind, cursor }
  }

  #link (behind: Place, page: Page, answer: Answer): Place | undefined {
    const found = this.#next === undefined ? linkIn(answer) : at(page.json, this.#next)
    if (found === undefined || found === null || found === '') return undefined
    const url = typeof found === 'string' ? URL.parse(found, answer.url.href) : null
    if (url === null) throw refused(`The address of the next page is none: ${JSON.stringify(found)?.slice(0, 100)}`, answer.url, 'Check paging.next.')
    if (url.origin !== new URL(this.#config.url).origin) throw refused(`The next page is at ${place(url)}, another origin`, answer.url, 'Headers and keys are for one origin only: set url to that one where it is right.')
    if (url.href === answer.url.href) throw refused('The source names the page that was just read as the next one: it would go round for ever', answer.url, 'Check paging, and ask the source about it.')
    const { auth, query } = this.#config
    if (auth.kind === 'query') url.searchParams.delete(auth.name)
    const without: string[] = []
    for (const [name, value] of Object.entries(query)) {
      if (url.searchParams.get(name) !== String(value)) continue
      url.searchParams.delete(name)
      without.push(name)
    }
    this.#once(`link ${url.href}`, answer)
    return { ...behind, link: url.href, without }
  }

  /** A cursor that comes again later closes a circle, too; the set is bounded by pages_max. */
  #once (mark: string, answer: Answer): void {
    if (this.#seen.has(mark)) throw refused('The source leads back to a page that was read already: it would go round for ever', answer.url, 'Check paging, and ask the source about it.')
    this.#seen.add(mark)
  }

  #withKnown (link: string, without: readonly string[]): URL {
    const url = new URL(link)
    for (const name of without) url.searchParams.set(name, String(this.#config.query[name] ?? ''))
    return url
  }

  #templated (kind: Paging['kind']): boolean {
    const { url, query, body } = this.#config
    return `${url}${JSON.stringify(query)}${JSON.stringify(body)}`.includes(`{${kind}}`)
  }
}

function linkIn ({ headers }: Answer): string | undefined {
  const header = headers['link']
  if (header === undefined) return undefined
  try {
    return LinkHeader.parse([header].flat().join(', ')).rel('next')[0]?.uri
  } catch (cause) {
    throw new PlatformError('SOURCE_REFUSED', `The Link header cannot be read: ${(cause as Error).message}`, { where: 'input.http.paging', remedy: 'Where the answer itself has the next address, name it in paging.next.', cause })
  }
}

function unknown (address: string): never {
  throw new PlatformError('CONFIG_INVALID', `The address ${address} has a template whose value is not known in the first request`, { where: 'input.http.url', remedy: 'Put it into query, where it is left out until it is known.' })
}
