// config/alerts.yaml: rules about what is wrong, and destinations that are told. Checked as a whole; secrets come from
// variables, as in every file.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkYaml } from '../check.ts'
import { DURATION_PATTERN, parseDuration } from '../duration.ts'
import { PlatformError } from '../errors.ts'
import { interpolate } from '../interpolate.ts'
import { configInvalid, quote } from '../problems.ts'
import { readYaml } from '../yaml.ts'
import type { Severity } from '../health/findings.ts'
import type { Environment, Interpolated } from '../interpolate.ts'
import type { Problem } from '../problems.ts'

export const ALERTS_FILE = 'config/alerts.yaml'
const RULES_MAX = 200
const DESTINATIONS_MAX = 50

export type Destination = { readonly name: string } & (
  | { readonly webhook: { readonly url: string, readonly secret: string } }
  | { readonly slack: { readonly url: string } }
  | { readonly email: { readonly server: string, readonly from: string, readonly to: readonly string[] } }
)

export interface Rule {
  readonly name: string
  /** Problems whose id or part fits, `*` for any text; undefined: it is about a metric. */
  readonly problem: string | undefined
  /** At least so bad. */
  readonly severity: Severity
  readonly metric: { readonly name: string, readonly labels: Readonly<Record<string, string>>, readonly above: number | undefined, readonly below: number | undefined } | undefined
  /** It has to last so long. */
  readonly forMs: number
  /** Told again after that; undefined: once. */
  readonly repeatMs: number | undefined
  /** Only while this market is open; empty: always. */
  readonly during: string
  readonly to: readonly string[]
}

export interface QuietHours {
  /** Minutes of the day. */
  readonly from: number
  readonly to: number
  readonly timeZone: string
  /** What is so bad is told all the same. */
  readonly letThrough: Severity | 'nothing'
}

export interface AlertConfig {
  readonly destinations: readonly Destination[]
  readonly rules: readonly Rule[]
  readonly quiet: QuietHours | undefined
  /** Texts that logs and answers must not show. */
  readonly secrets: readonly string[]
}

const name = { type: 'string', pattern: '^[a-z][a-z0-9_-]{0,63}$' }
const url = { type: 'string', pattern: '^https?://[^\\s]+$', maxLength: 2000, writeOnly: true }
const severity = { type: 'string', enum: ['error', 'warning', 'notice'] }
const duration = { type: 'string', pattern: DURATION_PATTERN }
const clock = { type: 'string', pattern: '^(?:[01]\\d|2[0-3]):[0-5]\\d$' }

/** The file as JSON Schema. */
export const alertsForm = {
  type: 'object',
  additionalProperties: false,
  properties: {
    destinations: {
      type: 'array',
      maxItems: DESTINATIONS_MAX,
      description: 'Who can be told; each is a webhook, a Slack channel or addresses of e-mail.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        minProperties: 2,
        maxProperties: 2,
        properties: {
          name,
          webhook: { type: 'object', additionalProperties: false, required: ['url', 'secret'], properties: { url, secret: { type: 'string', minLength: 16, writeOnly: true, description: 'Signs what is sent.' } }, description: 'JSON is posted there, signed.' },
          slack: { type: 'object', additionalProperties: false, required: ['url'], properties: { url }, description: 'An incoming webhook of Slack.' },
          email: { type: 'object', additionalProperties: false, required: ['server', 'from', 'to'], properties: { server: { type: 'string', pattern: '^smtps?://[^\\s]+$', writeOnly: true, description: 'smtps://user:password@host:465' }, from: { type: 'string', minLength: 3 }, to: { type: 'array', minItems: 1, maxItems: 100, items: { type: 'string', minLength: 3 } } } }
        }
      }
    },
    rules: {
      type: 'array',
      maxItems: RULES_MAX,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name,
          problem: { type: 'string', minLength: 1, maxLength: 200, description: 'Problems of health whose id or part fits, such as `pipeline quotes` or `dataset *`; all where it is left out.' },
          severity: { ...severity, description: 'Problems that are at least so bad; error where it is left out.' },
          metric: { type: 'object', additionalProperties: false, required: ['name'], properties: { name: { type: 'string', pattern: '^[a-zA-Z_][a-zA-Z0-9_]{0,127}$' }, labels: { type: 'object', additionalProperties: { type: 'string' } }, above: { type: 'number' }, below: { type: 'number' } }, description: 'A metric of /metrics instead of a problem.' },
          for: { ...duration, description: 'It has to last so long; 2m where it is left out.' },
          repeat: { ...duration, description: 'Told again after that; once where it is left out.' },
          during: { type: 'string', description: 'Only while this market is open (config/calendars).' },
          to: { type: 'array', items: { type: 'string' }, description: 'Names of destinations; none: shown in the panel only.' }
        }
      }
    },
    quiet_hours: {
      type: 'object',
      additionalProperties: false,
      required: ['from', 'to'],
      description: 'Nothing is sent meanwhile; what is still wrong afterwards is sent then.',
      properties: { from: clock, to: clock, time_zone: { type: 'string', description: 'IANA zone; UTC where it is left out.' }, let_through: { type: 'string', enum: ['error', 'warning', 'notice', 'nothing'], description: 'What is so bad is sent all the same; nothing where it is left out.' } }
    }
  }
} as const

interface RuleText { readonly name: string, readonly problem?: string, readonly severity?: Severity, readonly metric?: { readonly name: string, readonly labels?: Readonly<Record<string, string>>, readonly above?: number, readonly below?: number }, readonly for?: string, readonly repeat?: string, readonly during?: string, readonly to?: readonly string[] }
interface AlertsText { readonly destinations?: readonly Destination[], readonly rules?: readonly RuleText[], readonly quiet_hours?: { readonly from: string, readonly to: string, readonly time_zone?: string, readonly let_through?: Severity | 'nothing' } }

/** Throws one CONFIG_INVALID that lists all that is wrong, with lines and columns. */
export function parseAlerts (text: string, env: Environment): AlertConfig {
  const yaml = interpolate(readYaml(ALERTS_FILE, text), env)
  const { destinations = [], rules = [], quiet_hours: quiet } = checkYaml<AlertsText>(yaml, alertsForm, { value: yaml.value ?? {} })
  const problems = problemsOf(yaml, { destinations, rules, quiet })
  if (problems.length > 0) throw configInvalid(problems)
  return {
    destinations,
    rules: rules.map(readRule),
    quiet: quiet === undefined ? undefined : { from: minutesOf(quiet.from), to: minutesOf(quiet.to), timeZone: quiet.time_zone ?? 'UTC', letThrough: quiet.let_through ?? 'nothing' },
    secrets: [...yaml.secrets, ...destinations.flatMap(one => 'webhook' in one ? [one.webhook.secret, one.webhook.url] : 'slack' in one ? [one.slack.url] : [one.email.server])]
  }
}

interface Listed { readonly destinations: readonly Destination[], readonly rules: readonly RuleText[], readonly quiet: AlertsText['quiet_hours'] }

/** What the form cannot say: names that are not there, or twice. */
function problemsOf (yaml: Interpolated, { destinations, rules, quiet }: Listed): Problem[] {
  const problems: Problem[] = []
  const names = new Set<string>()
  for (const [i, { name }] of destinations.entries()) {
    if (names.has(name)) problems.push(yaml.problem(['destinations', i, 'name'], `${quote(name)} is the name of another destination, too`))
    names.add(name)
  }
  const seen = new Set<string>()
  for (const [i, { name, to = [], problem, metric }] of rules.entries()) {
    if (seen.has(name)) problems.push(yaml.problem(['rules', i, 'name'], `${quote(name)} is the name of another rule, too`))
    seen.add(name)
    for (const [j, one] of to.entries()) if (!names.has(one)) problems.push(yaml.problem(['rules', i, 'to', j], `there is no destination ${quote(one)}`))
    if (metric !== undefined && problem !== undefined) problems.push(yaml.problem(['rules', i], 'is about a problem or about a metric, not about both'))
    if (metric !== undefined && metric.above === undefined && metric.below === undefined) problems.push(yaml.problem(['rules', i, 'metric'], 'needs above, below or both'))
  }
  if (quiet?.time_zone !== undefined && !isZone(quiet.time_zone)) problems.push(yaml.problem(['quiet_hours', 'time_zone'], `${quote(quiet.time_zone)} is no time zone`))
  return problems
}

function readRule ({ name, problem, severity = 'error', metric, for: lasts = '2m', repeat, during = '', to = [] }: RuleText): Rule {
  return {
    name,
    problem: metric === undefined ? problem ?? '*' : undefined,
    severity,
    metric: metric === undefined ? undefined : { name: metric.name, labels: metric.labels ?? {}, above: metric.above, below: metric.below },
    forMs: parseDuration(lasts) ?? 0,
    repeatMs: repeat === undefined ? undefined : parseDuration(repeat),
    during,
    to
  }
}

/** The text of the file; empty where there is none. */
export async function alertsText (root: string): Promise<string> {
  try {
    return await readFile(join(root, ALERTS_FILE), 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new PlatformError('CONFIG_INVALID', 'cannot be read', { where: ALERTS_FILE, cause })
  }
}

/** Whether it is a time in which nothing is sent. */
export function isQuiet ({ from, to, timeZone }: QuietHours, now: number): boolean {
  const [hour = 0, minute = 0] = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(now).split(':').map(Number)
  const at = hour * 60 + minute
  return from <= to ? at >= from && at < to : at >= from || at < to
}

function minutesOf (text: string): number {
  const [hour = 0, minute = 0] = text.split(':').map(Number)
  return hour * 60 + minute
}

function isZone (zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) instanceof Intl.DateTimeFormat
  } catch {
    return false
  }
}
