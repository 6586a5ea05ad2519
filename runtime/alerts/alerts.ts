// Alerts: after each look of health the rules are asked, and what they say is told to their destinations.

import { readCalendar } from '../calendar/calendar.ts'
import { describe, PlatformError } from '../errors.ts'
import { masker } from '../mask.ts'
import { writeDurably } from '../durable.ts'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { randomUUID } from 'node:crypto'
import { ALERTS_FILE, alertsText, isQuiet, parseAlerts } from './alert-file.ts'
import { AlertState, fits } from './alert-state.ts'
import { send } from './send.ts'
import type { Note } from '../health/facts.ts'
import type { Severity } from '../health/findings.ts'
import type { Verdict } from '../health/verdict.ts'
import type { Environment } from '../interpolate.ts'
import type { Platform } from '../platform.ts'
import type { AlertConfig, Rule } from './alert-file.ts'
import type { Candidate, Step, Waiting } from './alert-state.ts'
import type { Message } from './send.ts'

const MESSAGES_AT_ONCE = 20
/** After a start a destination that hangs looks well until its first time is over: nothing is said to be over before. */
const SETTLED_MS = 120_000
/** A message that is refused so often goes, where newer ones wait behind it. */
const REFUSALS_MAX = 5
const ranks: readonly Severity[] = ['error', 'warning', 'notice']

/** One value of a metric. */
export interface Sample { readonly name: string, readonly labels: Readonly<Record<string, string | number>>, readonly value: number }

export interface AlertParts extends Pick<Platform, 'root' | 'store' | 'log' | 'url'> {
  readonly env: Environment
  /** As /metrics has them. */
  samples (): Promise<readonly Sample[]>
  /** ms since 1970. */
  now? (): number
}

const nothing: AlertConfig = { destinations: [], rules: [], quiet: undefined, secrets: [] }

export class Alerts {
  readonly #kept: AlertState
  /** In memory, while control.db cannot be written, such as on a full disk: just then somebody has to hear of it. */
  #makeshift: AlertState | undefined
  readonly #parts: AlertParts
  #config = nothing
  #text: string | undefined
  readonly #opened: number
  #trouble = ''
  #sending: Promise<void> | undefined

  constructor (parts: AlertParts) {
    this.#parts = parts
    this.#kept = new AlertState(parts.store.database)
    this.#opened = this.#now()
    try {
      this.#config = parseAlerts(this.state.file ?? '', parts.env)
    } catch { /* A variable of it is gone; the file is read at the first look. */ }
  }

  get state (): AlertState {
    return this.#makeshift ?? this.#kept
  }

  get config (): AlertConfig {
    return this.#config
  }

  /** What is wrong with the alerts themselves. */
  notes (): Note[] {
    const stuck = this.state.waiting.filter(({ tries }) => tries > 2)
    return [
      ...this.#trouble === '' ? [] : [{ part: 'alerts', severity: 'error' as const, cause: `${ALERTS_FILE} cannot be used, and its rules are those of before: ${this.#trouble.split('\n')[0]}`, remedy: 'Correct the file; it is read again by itself.' }],
      ...[...new Set(stuck.map(({ destination }) => destination))].map(name => ({ part: `alerts to ${name}`, severity: 'warning' as const, cause: `${name} takes no alerts: ${stuck.find(({ destination }) => destination === name)?.error}`, remedy: 'Try it with its test button, and look at its address.' }))
    ]
  }

  /** The text of the file as it is. */
  text (): Promise<string> {
    return alertsText(this.#parts.root)
  }

  /** Writes the file, if it is right. Destinations are changed in the file itself only: who may write rules does not choose where the platform connects. */
  async replace (text: string, { destinations }: { readonly destinations: 'any' | 'same' }): Promise<void> {
    const { env, root } = this.#parts
    const config = parseAlerts(text, env)
    if (destinations === 'same') {
      await this.refresh()
      if (JSON.stringify(config.destinations) !== JSON.stringify(this.#config.destinations)) throw new PlatformError('REQUEST_REFUSED', 'Destinations of alerts are changed in the file only', { where: ALERTS_FILE, remedy: 'Leave them as they are, or ask whoever keeps the files.' })
    }
    await writeDurably(join(root, ALERTS_FILE), text)
    await this.refresh()
  }

  /** Reads the file where it has changed. What is wrong with it leaves the rules as they were, and is told by health. */
  async refresh (): Promise<void> {
    try {
      const text = await alertsText(this.#parts.root)
      if (text === this.#text) return
      this.#text = text
      const config = parseAlerts(text, this.#parts.env)
      for (const { during } of config.rules) if (during !== '') await readCalendar(this.#parts.root, during)
      this.#config = config
      this.#trouble = ''
      this.state.keepFile(text)
    } catch (error) {
      this.#trouble = masker(this.#config.secrets)(describe(error))
    }
  }

  /** After each look. */
  async watch (verdict: Verdict): Promise<void> {
    try {
      await this.refresh()
      const now = this.#now()
      const { rules, quiet } = this.#config
      const resting = new Set<string>()
      for (const { name, during } of rules) if (during !== '' && !await this.#isOpen(during, now)) resting.add(name)
      const hidden = new Set(verdict.problems.flatMap(({ hides }) => hides.map(({ id }) => id)))
      if (Math.abs(now - this.#opened) < SETTLED_MS) for (const { subject } of this.state.alerts) hidden.add(subject)
      const candidates = await this.#candidates(rules.filter(({ name }) => !resting.has(name)), verdict)
      const hushed = quiet !== undefined && isQuiet(quiet, now)
      this.#step({ now, candidates, rules, resting, hidden, url: this.#parts.url, quiet: severity => hushed && (quiet.letThrough === 'nothing' || ranks.indexOf(severity) > ranks.indexOf(quiet.letThrough)) })
    } catch (error) {
      this.#parts.log.error({ reason: describe(error) }, 'The alert rules could not be asked')
    }
    void this.deliver()
  }

  #step (step: Step): void {
    try {
      if (this.#makeshift !== undefined) this.#kept.adopt(this.#makeshift)
      this.#makeshift = undefined
      this.#kept.step(step)
    } catch (error) {
      if (this.#makeshift === undefined) {
        this.#parts.log.error({ reason: describe(error) }, 'Alerts cannot be remembered, and are told from memory meanwhile')
        this.#makeshift = new AlertState(new DatabaseSync(':memory:'))
        try {
          this.#makeshift.adopt(this.#kept)
        } catch { /* It cannot be read either: what was told is told again. */ }
      }
      this.#makeshift.step(step)
    }
  }

  /** Sends what is due; those who call meanwhile share it. Never throws. */
  deliver (): Promise<void> {
    this.#sending ??= this.#deliver().finally(() => { this.#sending = undefined })
    return this.#sending
  }

  /** Sends a message that says that it is a test. Throws NOT_FOUND, or what the destination says. */
  async test (name: string): Promise<void> {
    await this.refresh()
    const destination = this.#config.destinations.find(one => one.name === name)
    if (destination === undefined) throw new PlatformError('NOT_FOUND', `There is no destination ${name}`, { remedy: `${ALERTS_FILE} lists them.` })
    await send(destination, { id: randomUUID(), url: this.#parts.url, alerts: [{ kind: 'test', rule: 'test', severity: 'notice', cause: 'This is a test: alerts arrive here.', remedy: '', datasets: [], since: new Date(this.#now()).toISOString() }] })
  }

  async close (): Promise<void> {
    await this.#sending
  }

  async #deliver (): Promise<void> {
    // Beside each other: one that hangs holds up no other one.
    await Promise.all(this.state.due(this.#now(), MESSAGES_AT_ONCE).map(messages => this.#deliverTo(messages).catch((error: unknown) => this.#parts.log.error({ reason: describe(error) }, 'Alerts could not be sent'))))
  }

  /** In their order, until one is not taken. */
  async #deliverTo (messages: readonly Waiting[]): Promise<void> {
    const destination = this.#config.destinations.find(({ name }) => name === messages[0]?.destination)
    for (const waiting of messages) {
      try {
        if (destination !== undefined) await send(destination, JSON.parse(waiting.body) as Message)
        this.state.sent(waiting)
      } catch (error) {
        const isRefused = (error as Partial<PlatformError>).code === 'DESTINATION_REFUSED' && waiting.tries >= REFUSALS_MAX && waiting !== messages.at(-1)
        if (isRefused) this.state.sent(waiting)
        else if (this.state.failed(waiting, describe(error), this.#now())) return
        this.#parts.log.error({ destination: waiting.destination, reason: describe(error) }, isRefused ? 'An alert was given up: its destination refuses it, and newer ones wait' : 'An alert was given up: nobody took it for a day')
      }
    }
  }

  async #candidates (rules: readonly Rule[], { problems }: Verdict): Promise<Candidate[]> {
    const samples = rules.some(({ metric }) => metric !== undefined) ? await this.#parts.samples() : []
    return rules.flatMap(rule => {
      const { problem: pattern, severity, metric } = rule
      if (metric !== undefined) {
        return samples.filter(({ name, labels, value }) => name === metric.name && Object.entries(metric.labels).every(([label, wanted]) => String(labels[label] ?? '') === wanted) && ((metric.above !== undefined && value > metric.above) || (metric.below !== undefined && value < metric.below)))
          .map(({ name, labels, value }): Candidate => ({ rule, subject: `${name}${JSON.stringify(labels)}`, severity, cause: `${name} is ${value}${labelText(labels)}`, remedy: '', datasets: [] }))
      }
      return problems.filter(one => ranks.indexOf(one.severity) <= ranks.indexOf(severity) && (fits(pattern ?? '*', one.id) || fits(pattern ?? '*', one.part)))
        .map(({ id, severity, cause, remedy, datasets }): Candidate => ({ rule, subject: id, severity, cause, remedy, datasets }))
    })
  }

  async #isOpen (calendar: string, now: number): Promise<boolean> {
    try {
      return (await readCalendar(this.#parts.root, calendar)).isOpen(now)
    } catch (error) {
      // It was there when the file was read. One message too many is better than none.
      this.#trouble = describe(error)
      this.#text = undefined
      return true
    }
  }

  #now (): number {
    return (this.#parts.now ?? Date.now)()
  }
}

function labelText (labels: Sample['labels']): string {
  const entries = Object.entries(labels)
  return entries.length === 0 ? '' : ` (${entries.map(([name, value]) => `${name} ${value}`).join(', ')})`
}
