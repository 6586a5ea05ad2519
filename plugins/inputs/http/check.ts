// What the options' schema cannot say: which of them go together.

import { PlatformError } from '../../../runtime/errors.ts'
import { parseDuration } from '../../../runtime/duration.ts'
import { templatesIn } from './template.ts'
import type { HttpConfig } from './options.ts'

/** What a configuration means for time. */
export interface Times {
  /** The requests name an interval. */
  readonly used: boolean
  /** Of the coarsest format in them, ms: an interval begins and ends at a multiple of it. */
  readonly unitMs: number
  /** Of a window, ms; undefined: the whole interval at once. */
  readonly windowMs: number | undefined
  /** Where the first reading begins, ms since 1970. */
  readonly start: number | undefined
}

/** Throws CONFIG_INVALID for options that do not go together. */
export function checkTimes (config: HttpConfig): Times {
  const { paging, start, incremental } = config
  const { unitMs, names } = templatesIn(config)
  const windowMs = paging.window === undefined ? undefined : parseDuration(paging.window)
  if (windowMs !== undefined && unitMs === undefined) throw invalid('paging.window', 'there is a window, and no request names its bounds', 'Put {from} and {to} into query, body or url.')
  if (unitMs !== undefined && !names.has('from')) throw invalid('query', 'the requests have {to} and no {from}', 'Put {from} beside it.')
  if (windowMs !== undefined && windowMs % (unitMs as number) !== 0) throw invalid('paging.window', `a window of ${paging.window} is no multiple of the unit of {from}`, 'Use whole days with {from:date}, or a finer format.')
  if (names.has('since') && incremental === null) throw invalid('incremental', 'a request has {since}, and incremental names no field', 'Set incremental.field.')
  const startMs = start === null ? undefined : Date.parse(start)
  if (startMs !== undefined && Number.isNaN(startMs)) throw invalid('start', 'this is no ISO 8601 time', 'Write it as 2024-01-01T00:00:00Z.')
  return { used: unitMs !== undefined, unitMs: unitMs ?? 1, windowMs, start: startMs }
}

/** Whether the requests name an interval; a window has to. Options that do not go together are told elsewhere. */
export function requestsInterval (config: HttpConfig): boolean {
  return templatesIn(config).unitMs !== undefined
}

/** Throws CONFIG_INVALID where a kind of paging, or of auth, lacks what it needs. */
export function checkParts ({ paging, auth, body, method, format, certificate_file: cert, key_file: key }: HttpConfig): void {
  const { kind, next, field, window } = paging
  if (kind === 'cursor' && (next === undefined) === (field === undefined)) throw invalid('paging', 'a cursor comes from the answer (next) or from its last row (field): one of them is needed', 'Set paging.next to its JSON pointer, such as /meta/next.')
  if (kind === 'window' && window === undefined) throw invalid('paging.window', 'paging by windows needs their length', 'Set paging.window, such as 1d.')
  if (format !== 'json' && (next !== undefined || paging.more !== undefined)) throw invalid('paging', `an answer in ${format} has no JSON pointers`, 'Use page, offset, link (by the Link header), window, or cursor with field.')
  if (body !== null && method === 'GET') throw invalid('body', 'a GET sends no body', 'Set method: POST, or use query.')
  const missing = Object.entries({ bearer: ['token'], basic: ['user', 'password'], header: ['name', 'value'], query: ['name', 'value'], none: [] })
    .flatMap(([name, keys]) => name === auth.kind ? keys.filter(key => !Object.hasOwn(auth, key)) : [])
  if (missing.length > 0) throw invalid('auth', `${auth.kind} needs ${missing.join(' and ')}`, 'Set them, from variables of the environment where they are secret.')
  if ((cert === null) !== (key === null)) throw invalid('certificate_file', 'a certificate needs its key, and a key its certificate', 'Name both files.')
}

function invalid (option: string, message: string, remedy: string): PlatformError {
  return new PlatformError('CONFIG_INVALID', message, { where: `input.http.${option}`, remedy })
}
