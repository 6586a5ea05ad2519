// What is wrong, since when, and who was told: in control.db, so that a restart neither repeats nor forgets.
//
//   alerts    one row a rule and subject      pending ─for▶ firing ─▶ told ─repeat▶ told again ─gone▶ resolved
//   outbox    one row a message and destination, until it is taken; written in the same transaction as the state
//   silences  until when something is not told
//   alert_file  the rules that were right the last time: they hold while the file is broken, also over a restart

import { randomUUID } from 'node:crypto'
import { transaction } from '../sqlite.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Severity } from '../health/findings.ts'
import type { Rule } from './alert-file.ts'
import type { Message, Told } from './send.ts'

const OUTBOX_MAX = 1000
const ALERTS_MAX = 5000
const SILENCES_MAX = 500
const RETRY_MS_MIN = 5000
const RETRY_MS_MAX = 3_600_000
/** A message that nobody takes for so long is given up. */
const GIVE_UP_MS = 24 * 3_600_000

/** What a rule says is wrong now. */
export interface Candidate {
  readonly rule: Rule
  /** Of the problem or of the metric with its labels. */
  readonly subject: string
  readonly severity: Severity
  readonly cause: string
  readonly remedy: string
  readonly datasets: readonly string[]
}

export interface Alert {
  readonly rule: string
  readonly subject: string
  readonly severity: Severity
  readonly cause: string
  readonly remedy: string
  readonly datasets: string
  /** ms since 1970; 0: not yet. */
  readonly since: number
  readonly fired: number
  readonly told: number
}

export interface Silence {
  readonly id: string
  /** Text in which `*` stands for any; of the rule or the subject. */
  readonly matches: string
  readonly until: number
  readonly by: string
  readonly reason: string
}

export interface Waiting {
  readonly id: string
  readonly destination: string
  readonly body: string
  readonly tries: number
  readonly at: number
  readonly nextAt: number
  readonly error: string
}

export interface Step {
  readonly now: number
  readonly candidates: readonly Candidate[]
  readonly rules: readonly Rule[]
  /** Rules that say nothing now, because their market is closed: what they told stands. */
  readonly resting: ReadonlySet<string>
  /** Subjects that another one explains now: they are neither told nor over. */
  readonly hidden: ReadonlySet<string>
  /** Nothing of that severity is sent now. */
  quiet (severity: Severity): boolean
  readonly url: string
}

export class AlertState {
  readonly #database: DatabaseSync

  constructor (database: DatabaseSync) {
    this.#database = database
    database.exec(`
      create table if not exists alerts (rule text not null, subject text not null, severity text not null, cause text not null, remedy text not null, datasets text not null, since integer not null, fired integer not null, told integer not null, primary key (rule, subject)) strict;
      create table if not exists alert_outbox (id text not null, destination text not null, body text not null, tries integer not null, at integer not null, next_at integer not null, error text not null, primary key (id, destination)) strict;
      create table if not exists alert_file (one integer primary key check (one = 1), text text not null) strict;
      create table if not exists silences (id text primary key, matches text not null, until integer not null, by text not null, reason text not null) strict;
    `)
  }

  /** The text of the file that was right the last time; undefined: none was. */
  get file (): string | undefined {
    return (this.#database.prepare('select text from alert_file').get() as { text: string } | undefined)?.text
  }

  keepFile (text: string): void {
    this.#database.prepare('insert or replace into alert_file (one, text) values (1, ?)').run(text)
  }

  /** Goes on where another one is. */
  adopt ({ alerts, waiting }: Pick<AlertState, 'alerts' | 'waiting'>): void {
    transaction(this.#database, () => {
      this.#database.exec('delete from alerts; delete from alert_outbox')
      for (const { rule, subject, severity, cause, remedy, datasets, since, fired, told } of alerts) this.#database.prepare('insert or replace into alerts (rule, subject, severity, cause, remedy, datasets, since, fired, told) values (?, ?, ?, ?, ?, ?, ?, ?, ?)').run(rule, subject, severity, cause, remedy, datasets, since, fired, told)
      for (const { id, destination, body, tries, at, nextAt, error } of waiting) this.#database.prepare('insert or replace into alert_outbox (id, destination, body, tries, at, next_at, error) values (?, ?, ?, ?, ?, ?, ?)').run(id, destination, body, tries, at, nextAt, error)
    })
  }

  get alerts (): Alert[] {
    return this.#database.prepare('select * from alerts order by since').all() as unknown as Alert[]
  }

  silences (now: number): Silence[] {
    return this.#database.prepare('select * from silences where until > ? order by until').all(now) as unknown as Silence[]
  }

  isSilenced ({ rule, subject }: Pick<Alert, 'rule' | 'subject'>, now: number): boolean {
    return this.silences(now).some(({ matches }) => fits(matches, rule) || fits(matches, subject))
  }

  silence ({ matches, until, by, reason }: Omit<Silence, 'id'>, now: number): Silence {
    const id = randomUUID()
    this.#database.prepare('delete from silences where until <= ?').run(now)
    this.#database.prepare('insert into silences (id, matches, until, by, reason) values (?, ?, ?, ?, ?)').run(id, matches, until, by, reason)
    this.#database.prepare('delete from silences where id in (select id from silences order by until desc limit -1 offset ?)').run(SILENCES_MAX)
    return { id, matches, until, by, reason }
  }

  /** False: there is none of that id. */
  endSilence (id: string): boolean {
    return this.#database.prepare('delete from silences where id = ?').run(id).changes > 0
  }

  /** Goes on by one look: what is new, what lasts, what is gone; messages go to the outbox in the same write. */
  step (step: Step): void {
    const { now, candidates } = step
    transaction(this.#database, () => {
      const messages = new Map<string, Told[]>()
      const known = new Map(this.alerts.map(alert => [keyOf(alert), alert]))
      const silences = this.silences(now)
      for (const candidate of candidates.slice(0, ALERTS_MAX)) this.#goOn(candidate, known.get(keyOf({ rule: candidate.rule.name, subject: candidate.subject })), { ...step, messages, silences })
      const there = new Set(candidates.map(({ rule, subject }) => keyOf({ rule: rule.name, subject })))
      for (const alert of known.values()) {
        if (there.has(keyOf(alert)) || step.resting.has(alert.rule) || step.hidden.has(alert.subject)) continue
        // What was told stands until somebody may hear that it is over.
        if (alert.told > 0 && step.quiet(alert.severity)) continue
        const to = step.rules.find(({ name }) => name === alert.rule)?.to ?? []
        // Who was not told that it is wrong need not hear that it is well.
        if (alert.told > 0) tell(messages, to, toldOf('resolved', alert, JSON.parse(alert.datasets) as string[]))
        this.#database.prepare('delete from alerts where rule = ? and subject = ?').run(alert.rule, alert.subject)
      }
      for (const [destination, alerts] of messages) this.#post(destination, { id: randomUUID(), alerts, url: step.url }, now)
    })
  }

  /**
   * Messages of each destination whose time has come, the oldest first, `limit` a destination. None passes an older one
   * that waits to be tried again: nobody is told that something is over before they hear that it was wrong.
   */
  due (now: number, limit: number): Waiting[][] {
    const by = Map.groupBy(this.waiting, ({ destination }) => destination)
    // A clock that was set back would hold them up: no delay is longer than RETRY_MS_MAX.
    return [...by.values()].filter(([first]) => first !== undefined && (first.nextAt <= now || first.nextAt > now + RETRY_MS_MAX)).map(messages => messages.slice(0, limit))
  }

  /** All that wait. */
  get waiting (): Waiting[] {
    return this.#database.prepare('select id, destination, body, tries, at, next_at as nextAt, error from alert_outbox order by rowid').all() as unknown as Waiting[]
  }

  sent ({ id, destination }: Pick<Waiting, 'id' | 'destination'>): void {
    this.#database.prepare('delete from alert_outbox where id = ? and destination = ?').run(id, destination)
  }

  /** Tried again later; false: it is given up. */
  failed ({ id, destination, tries, at }: Waiting, error: string, now: number): boolean {
    if (now - at > GIVE_UP_MS) {
      this.sent({ id, destination })
      return false
    }
    this.#database.prepare('update alert_outbox set tries = tries + 1, next_at = ?, error = ? where id = ? and destination = ?').run(now + Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** tries), error, id, destination)
    return true
  }

  #goOn (candidate: Candidate, known: Alert | undefined, { now, quiet, messages, silences }: Step & { readonly messages: Map<string, Told[]>, readonly silences: readonly Silence[] }): void {
    const { rule, subject, severity, cause, remedy, datasets } = candidate
    // A clock that was set back begins to count anew.
    const since = Math.min(known?.since ?? now, now)
    const fired = known !== undefined && known.fired > 0 ? known.fired : now - since >= rule.forMs ? now : 0
    let told = known?.told ?? 0
    const due = fired > 0 && (told === 0 || (rule.repeatMs !== undefined && now - told >= rule.repeatMs))
    if (due && !quiet(severity) && !silences.some(({ matches }) => fits(matches, rule.name) || fits(matches, subject))) {
      tell(messages, rule.to, toldOf(told === 0 ? 'firing' : 'again', { rule: rule.name, severity, cause, remedy, since }, datasets))
      told = now
    }
    this.#database.prepare('insert or replace into alerts (rule, subject, severity, cause, remedy, datasets, since, fired, told) values (?, ?, ?, ?, ?, ?, ?, ?, ?)').run(rule.name, subject, severity, cause, remedy, JSON.stringify(datasets), since, fired, told)
  }

  #post (destination: string, message: Message, now: number): void {
    this.#database.prepare('insert into alert_outbox (id, destination, body, tries, at, next_at, error) values (?, ?, ?, 0, ?, ?, \'\')').run(message.id, destination, JSON.stringify(message), now, now)
    this.#database.prepare('delete from alert_outbox where rowid in (select rowid from alert_outbox order by at desc limit -1 offset ?)').run(OUTBOX_MAX)
  }
}

/** Whether a text fits a pattern in which `*` stands for any text. */
export function fits (pattern: string, text: string): boolean {
  const parts = pattern.split('*')
  const last = parts.length - 1
  let at = 0
  for (const [i, part] of parts.entries()) {
    if (i === last && i > 0) return text.length - part.length >= at && text.endsWith(part)
    const found = i === 0 ? (text.startsWith(part) ? 0 : -1) : text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at === text.length
}

function tell (messages: Map<string, Told[]>, to: readonly string[], told: Told): void {
  for (const destination of to) messages.set(destination, [...messages.get(destination) ?? [], told])
}

function toldOf (kind: Told['kind'], { rule, severity, cause, remedy, since }: Pick<Alert, 'rule' | 'severity' | 'cause' | 'remedy' | 'since'>, datasets: readonly string[]): Told {
  return { kind, rule, severity, cause, remedy, datasets, since: new Date(since).toISOString() }
}

function keyOf ({ rule, subject }: { readonly rule: string, readonly subject: string }): string {
  return `${rule}\n${subject}`
}
