// What stands in braces in the address, the query and the body: {from}, {to}, {since}, {page}, {offset}, {size} and
// {cursor}; times with a format, such as {from:unix_ms}. Anything else in braces is left as it is.

import { formatLast, formatTime, timeFormats } from '../../../runtime/data-interval.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { timeOf } from '../../../runtime/value-order.ts'
import type { TimeFormat } from '../../../runtime/data-interval.ts'
import type { Json } from '../../../runtime/plugin.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { HttpConfig, Incremental } from './options.ts'

/** undefined: it is not known in this request. */
export interface Values {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly since?: Ordered | undefined
  readonly page?: number | undefined
  readonly offset?: number | undefined
  readonly size?: number | undefined
  readonly cursor?: string | undefined
}

const names = ['from', 'to', 'since', 'page', 'offset', 'size', 'cursor'] as const
const form = new RegExp(`\\{(${names.join('|')})(?::(${timeFormats.join('|')}))?\\}`, 'g')
const unitsMs: Partial<Record<TimeFormat, number>> = { date: 86_400_000, unix_s: 1000 }

/** Fills the templates of one configuration. */
export class Template {
  readonly #since: Incremental['format']
  readonly #toInclusive: boolean

  constructor ({ incremental, paging }: Pick<HttpConfig, 'incremental' | 'paging'>) {
    this.#since = incremental?.format ?? 'raw'
    this.#toInclusive = paging.to_inclusive
  }

  /** A text; undefined: a value in it is not known. */
  text (text: string, values: Values, encode: (value: string) => string = value => value): string | undefined {
    let known = true
    const filled = text.replaceAll(form, (_, name: typeof names[number], format?: TimeFormat) => {
      const value = this.#value(name, format, values)
      if (value === undefined) known = false
      return value === undefined ? '' : encode(String(value))
    })
    return known ? filled : undefined
  }

  /** JSON with its texts filled in; a text that is one template becomes its value, and a key whose value is not known goes. */
  json (json: Json, values: Values): Json | undefined {
    if (typeof json === 'string') {
      const whole = new RegExp(`^${form.source}$`).exec(json)
      return whole === null ? this.text(json, values) : this.#value(whole[1] as typeof names[number], whole[2] as TimeFormat | undefined, values)
    }
    if (typeof json !== 'object' || json === null) return json
    if (Array.isArray(json)) return json.map(item => this.json(item as Json, values) ?? null)
    return Object.fromEntries(Object.entries(json).flatMap(([key, item]) => {
      const filled = this.json(item as Json, values)
      return filled === undefined ? [] : [[key, filled]]
    }))
  }

  /** The greatest value that was taken, as the source wants it. */
  since (value: Ordered): string {
    return this.#ordered(value, this.#since)
  }

  #value (name: typeof names[number], format: TimeFormat | undefined, values: Values): string | number | undefined {
    const value = values[name]
    if (value === undefined) return undefined
    switch (name) {
      case 'from': return time(value as number, format ?? 'iso', false)
      case 'to': return time(value as number, format ?? 'iso', this.#toInclusive)
      case 'since': return this.#ordered(value, format ?? this.#since)
      default: return value
    }
  }

  #ordered (value: Ordered, format: 'raw' | TimeFormat): string {
    if (format === 'raw') return String(value)
    const ms = timeOf(value)
    if (ms === undefined) throw new PlatformError('CONFIG_INVALID', `${JSON.stringify(value)} is no ISO 8601 time, so it cannot be written as ${format}`, { where: 'input.http.incremental.format', remedy: 'Use format: raw, which sends the value as the source gave it.' })
    return formatTime(ms, format)
  }
}

/** Units since 1970 are numbers in JSON. */
function time (ms: number, format: TimeFormat, last: boolean): string | number {
  const text = last ? formatLast(ms, format) : formatTime(ms, format)
  return format.startsWith('unix_') ? Number(text) : text
}

/** The templates in a configuration, and the coarsest unit of time among them, in ms; undefined: there is no {from} and no {to}. */
export function templatesIn ({ url, query, body }: Pick<HttpConfig, 'url' | 'query' | 'body'>): { readonly names: ReadonlySet<string>, readonly unitMs: number | undefined } {
  const found = new Set<string>()
  let unitMs: number | undefined
  for (const [, name = '', format = 'iso'] of `${url} ${JSON.stringify(query)} ${JSON.stringify(body)}`.matchAll(form)) {
    found.add(name)
    if (name === 'from' || name === 'to') unitMs = Math.max(unitMs ?? 1, unitsMs[format as TimeFormat] ?? 1)
  }
  return { names: found, unitMs }
}
