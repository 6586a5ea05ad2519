// Answers too large for one request, as files: made in the background, a few at a time, kept for some days below
// `<data folder>/exports/<id>/`. What a crash or a stop has interrupted begins again with the next file.

import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { adminPrincipal } from '../access/principal.ts'
import { answerRows } from '../data/answer.ts'
import { formatInstant } from '../data/instant.ts'
import { parseRange } from '../data/spec.ts'
import { makeFolder } from '../durable.ts'
import { describe, PlatformError } from '../errors.ts'
import { checkSpec, paramsOf, wishOf } from '../queries/spec.ts'
import { ExportRecords, noExport } from './records.ts'
import { writeFile } from './write.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { QuerySpec } from '../queries/spec.ts'
import type { ExportFile, ExportRecord } from './records.ts'

export interface ExportLimits {
  readonly runningMax: number
  /** Kept of one user, whatever their state. */
  readonly ofOneMax: number
  readonly bytesOfOneMax: number
  /** Of all that are kept. */
  readonly bytesMax: number
  readonly keptMs: number
}

export const exportLimits: ExportLimits = { runningMax: 2, ofOneMax: 50, bytesOfOneMax: 10 * 2 ** 30, bytesMax: 20 * 2 ** 30, keptMs: 7 * 86_400_000 }

/** Files of one export by day. */
const DAYS_MAX = 1000
const DAY_NS = 86_400_000_000_000n
const SWEEP_MS = 60_000
const VALID_MS = 1000

/** What is asked of an export. */
export type ExportAsk = Pick<ExportRecord, 'format' | 'split' | 'spec'>

export class Exports {
  readonly #platform: Platform
  readonly #limits: ExportLimits
  readonly #records: ExportRecords
  readonly #running = new Map<string, { readonly stop: AbortController, readonly done: Promise<void> }>()
  readonly #sweeping: NodeJS.Timeout
  #closed = false

  constructor (platform: Platform, limits: ExportLimits = exportLimits) {
    this.#platform = platform
    this.#limits = limits
    this.#records = new ExportRecords(platform.store.database)
    this.#sweeping = setInterval(() => { void this.sweep() }, SWEEP_MS).unref()
    // What ran when the platform ended begins again.
    for (const record of this.#records.all()) if (record.state === 'running') this.#records.put({ ...record, state: 'queued' })
    this.#next()
  }

  /** Throws NOT_FOUND, REQUEST_INVALID, TOO_MANY_REQUESTS, and DISK_FULL where the exports of all have no room. */
  async add (principal: Principal, { spec: given, format, split }: ExportAsk, signal: AbortSignal): Promise<ExportRecord> {
    const spec = absolute(given)
    await checkSpec(this.#platform, { principal, signal }, spec)
    if (split === 'day') daysOf(spec)
    const all = this.#records.all()
    const own = all.filter(({ asker }) => asker.user === principal.user)
    if (own.length >= this.#limits.ofOneMax) throw new PlatformError('TOO_MANY_REQUESTS', `${principal.user} has ${own.length} exports already`, { remedy: 'Delete those that are not needed any more.' })
    if (bytesOf(all) >= this.#limits.bytesMax) throw new PlatformError('DISK_FULL', 'The exports that are kept take all the room that they may', { remedy: 'Delete exports, or wait until the oldest ones expire.' })
    const { kind, user, token } = principal
    const record: ExportRecord = { id: randomUUID(), asker: { kind, user, token }, spec, format, split, grants: grantsOf(spec, principal), state: 'queued', reason: '', files: [], createdAt: Date.now(), endedAt: undefined }
    this.#records.put(record)
    this.#next()
    return record
  }

  /** Those that a principal sees: own ones, or all with the scope access:read. */
  list (principal: Principal): ExportRecord[] {
    return principal.scopes.has('access:read') ? this.#records.all() : this.#records.all(principal.user)
  }

  /** Throws NOT_FOUND. */
  get (id: string, principal: Principal): ExportRecord {
    const record = this.#records.find(id)
    if (record === undefined || (record.asker.user !== principal.user && !principal.scopes.has('access:read'))) throw noExport(id)
    return record
  }

  /** Path and size of a file. Throws NOT_FOUND, and REQUEST_REFUSED where the file holds what is not granted now. */
  file (id: string, name: string, principal: Principal): { readonly path: string, readonly file: ExportFile } {
    const record = this.get(id, principal)
    // Only names that the platform has written down itself become paths.
    const file = record.files.find(one => one.name === name)
    if (file === undefined) throw new PlatformError('NOT_FOUND', `The export has no file ${JSON.stringify(name)}`)
    if (grantsOf(record.spec, principal) !== record.grants) throw new PlatformError('REQUEST_REFUSED', 'What you may read is not what it was when the export was made', { remedy: 'Make the export again.' })
    return { path: join(this.#folder(record.id), file.name), file }
  }

  /** Ends it where it still runs, and removes its files. Only its owner may. */
  async remove (id: string, principal: Principal): Promise<void> {
    const record = this.get(id, principal)
    if (record.asker.user !== principal.user && !principal.scopes.has('access:write')) throw new PlatformError('SCOPE_MISSING', 'This needs the scope access:write, because the export is of somebody else')
    await this.#drop(record)
  }

  /** Removes what has expired. */
  async sweep (now = Date.now()): Promise<void> {
    for (const record of this.#records.all()) {
      if (record.endedAt !== undefined && record.endedAt + this.#limits.keptMs < now) await this.#drop(record).catch((error: unknown) => this.#platform.log.warn({ reason: describe(error), export: record.id }, 'An export could not be removed'))
    }
  }

  expiresAt ({ endedAt }: ExportRecord): number | undefined {
    return endedAt === undefined ? undefined : endedAt + this.#limits.keptMs
  }

  /** What runs is interrupted, and begins again at the next start. */
  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweeping)
    const running = [...this.#running.values()]
    for (const { stop } of running) stop.abort()
    await Promise.all(running.map(({ done }) => done))
  }

  #folder (id: string): string {
    return join(this.#platform.config.dataFolder, 'exports', id)
  }

  async #drop (record: ExportRecord): Promise<void> {
    this.#records.remove(record.id)
    const running = this.#running.get(record.id)
    running?.stop.abort()
    await running?.done
    await rm(this.#folder(record.id), { recursive: true, force: true })
  }

  #next (): void {
    if (this.#closed) return
    const running = new Set([...this.#running.keys()].flatMap(id => this.#records.find(id)?.asker.user ?? []))
    const queued = this.#records.all().filter(({ id, state }) => state === 'queued' && !this.#running.has(id)).reverse()
    // Those who have none under way come first.
    for (const record of [...queued.filter(({ asker }) => !running.has(asker.user)), ...queued]) {
      if (this.#running.size >= this.#limits.runningMax) return
      if (this.#running.has(record.id)) continue
      const stop = new AbortController()
      const done = this.#run(record, stop).finally(() => {
        this.#running.delete(record.id)
        this.#next()
      })
      this.#running.set(record.id, { stop, done })
    }
  }

  /** Never throws. */
  async #run (record: ExportRecord, stop: AbortController): Promise<void> {
    let now: ExportRecord = { ...record, state: 'running' }
    const put = (change: Partial<ExportRecord>): void => {
      now = { ...now, ...change }
      if (this.#records.find(record.id) !== undefined) this.#records.put(now)
    }
    const principal = this.#principalOf(record)
    const watch = setInterval(() => { if (principal?.isValid() !== true) stop.abort(gone()) }, VALID_MS)
    try {
      put({})
      if (principal === undefined) throw gone()
      await makeFolder(this.#folder(record.id))
      for (const part of record.split === 'day' ? daysOf(record.spec) : [{ name: 'all', spec: record.spec }]) {
        const name = `${fileName(record.spec.dataset)}-${part.name}.${record.format}`
        if (now.files.some(file => file.name === name)) continue
        const file = await this.#write(now, principal, { name, spec: part.spec, signal: stop.signal })
        if (file !== undefined) put({ files: [...now.files, file] })
      }
      put({ state: 'done', endedAt: Date.now() })
    } catch (error) {
      const cause: unknown = stop.signal.aborted ? stop.signal.reason : error
      if (this.#closed && !(cause instanceof PlatformError)) return
      put({ state: 'failed', reason: cause instanceof PlatformError ? cause.message : 'Something went wrong inside; the log says what', endedAt: Date.now() })
      if (!(cause instanceof PlatformError)) this.#platform.log.warn({ export: record.id, reason: describe(cause) }, 'An export has failed')
    } finally {
      clearInterval(watch)
    }
  }

  async #write (record: ExportRecord, principal: Principal, { name, spec, signal }: { readonly name: string, readonly spec: QuerySpec, readonly signal: AbortSignal }): Promise<ExportFile | undefined> {
    const params = paramsOf(spec)
    const rows = await answerRows(this.#platform, { ...wishOf(this.#platform, { principal, signal }, spec, params), params, format: record.format })
    const used = record.files.reduce((sum, { bytes }) => sum + bytes, 0)
    const room = Math.min(this.#limits.bytesOfOneMax - used, this.#limits.bytesMax - bytesOf(this.#records.all()))
    return writeFile(rows, { folder: this.#folder(record.id), name, bytesMax: Math.max(0, room), signal })
  }

  #principalOf ({ asker, grants, spec }: ExportRecord): Principal | undefined {
    if (asker.kind === 'admin') return adminPrincipal(() => true)
    const principal = this.#platform.access.principalOfWork(asker)
    return principal === undefined || grantsOf(spec, principal) !== grants ? undefined : principal
  }
}

function gone (): PlatformError {
  return new PlatformError('REQUEST_REFUSED', 'Who asked for the export may not read that any more')
}

function bytesOf (records: readonly ExportRecord[]): number {
  return records.reduce((sum, { files }) => files.reduce((all, { bytes }) => all + bytes, sum), 0)
}

/** Whose exports count together is the user; what they hold is told by the grants. */
function grantsOf (spec: QuerySpec, principal: Principal): string {
  const datasets = [spec.dataset, ...typeof spec['right'] === 'string' ? [spec['right']] : []]
  return JSON.stringify(datasets.map(dataset => principal.grant(dataset) ?? null))
}

/** With the range that the words mean now: the export may wait. */
function absolute (spec: QuerySpec): QuerySpec {
  const { last: _, ...rest } = spec
  const { start, end } = parseRange(spec as { last?: string })
  return { ...rest, ...(start !== undefined && { start: formatInstant(start) }), ...(end !== undefined && { end: formatInstant(end) }) } as QuerySpec
}

/** The days (UTC) of a range, each with its part of it. Throws REQUEST_INVALID where it has no begin, or very many days. */
function daysOf (spec: QuerySpec): Array<{ readonly name: string, readonly spec: QuerySpec }> {
  const { start, end = BigInt(Date.now()) * 1_000_000n } = parseRange(spec as { start?: string, end?: string })
  if (start === undefined) throw new PlatformError('REQUEST_INVALID', 'split: day needs to know where the range begins', { remedy: 'Give start, or last.' })
  const days: Array<{ name: string, spec: QuerySpec }> = []
  for (let from = start; from < end;) {
    if (days.length === DAYS_MAX) throw new PlatformError('REQUEST_INVALID', `The range has more than ${DAYS_MAX} days`, { remedy: 'Make several exports of it.' })
    const midnight = from - (((from % DAY_NS) + DAY_NS) % DAY_NS) + DAY_NS
    const to = midnight < end ? midnight : end
    days.push({ name: formatInstant(from).slice(0, 10), spec: { ...spec, start: formatInstant(from), end: formatInstant(to) } })
    from = to
  }
  return days
}

/** A name that means the same to every file system. */
function fileName (name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 100)
}
