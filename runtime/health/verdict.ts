// One verdict: what is wrong at the root, what follows from it, and one sentence for a person.

import { CANARY } from './canary-hops.ts'
import { findingsOf } from './findings.ts'
import { freshnessOf } from './freshness.ts'
import type { Action, Finding, Severity } from './findings.ts'
import type { CanaryState } from './canary.ts'
import type { DatasetHealth } from './freshness.ts'
import type { Facts } from './facts.ts'

export type State = 'ok' | 'degraded' | 'down'

/** A root cause with all that follows from it. */
export interface Problem {
  readonly id: string
  readonly part: string
  readonly severity: Severity
  readonly cause: string
  readonly remedy: string
  /** Two at most. */
  readonly actions: readonly Action[]
  /** What it explains. */
  readonly hides: ReadonlyArray<{ readonly id: string, readonly part: string, readonly cause: string }>
  /** Datasets whose rows it holds up, also by what it hides. */
  readonly datasets: readonly string[]
}

/** A sign that something works. */
export interface Evidence {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
}

export interface Verdict {
  /** ms since 1970. */
  readonly at: number
  readonly state: State
  readonly sentence: string
  readonly evidence: readonly Evidence[]
  readonly problems: readonly Problem[]
  readonly canary: CanaryState
  readonly datasets: readonly DatasetHealth[]
}

/** Parts without which nothing goes through. */
const vital = new Set(['broker', 'engine', 'warehouse'])
const ranks: readonly Severity[] = ['error', 'warning', 'notice']

export function judge (facts: Facts): Verdict {
  const datasets = freshnessOf(facts)
  const problems = grouped(findingsOf(facts, datasets))
  const errors = problems.filter(({ severity }) => severity === 'error')
  const state: State = errors.some(({ id }) => vital.has(id)) ? 'down' : errors.length > 0 ? 'degraded' : 'ok'
  return { at: facts.now, state, sentence: sentenceOf(facts, ownOf(datasets), problems), evidence: evidenceOf(facts, ownOf(datasets)), problems, canary: facts.canary, datasets }
}

/** Each finding goes to the root that explains it; the worst first. */
export function grouped (findings: readonly Finding[]): Problem[] {
  const roots = new Map<string, { readonly root: Finding, readonly hidden: Finding[] }>()
  for (const one of findings) {
    const root = rootOf(one, findings)
    const group = roots.get(root.id) ?? { root, hidden: [] }
    if (root !== one) group.hidden.push(one)
    roots.set(root.id, group)
  }
  return [...roots.values()].map(({ root: { follows: _, ...root }, hidden }) => ({
    ...root,
    severity: ranks[Math.min(...[root, ...hidden].map(({ severity }) => ranks.indexOf(severity)))] as Severity,
    actions: root.actions.slice(0, 2),
    hides: hidden.map(({ id, part, cause }) => ({ id, part, cause })),
    datasets: [...new Set([root, ...hidden].flatMap(({ datasets }) => datasets))].sort()
  })).sort((a, b) => ranks.indexOf(a.severity) - ranks.indexOf(b.severity) || b.datasets.length - a.datasets.length)
}

/** Where findings explain each other in a circle, the one that was found first is the root of all. */
function rootOf (finding: Finding, all: readonly Finding[]): Finding {
  const way = [finding]
  for (let at = finding; ;) {
    const cause = at.follows.map(id => all.find(one => one !== at && (id.endsWith('/*') ? one.id.startsWith(id.slice(0, -1)) : one.id === id))).find(one => one !== undefined)
    if (cause === undefined) return at
    const circle = way.indexOf(cause)
    if (circle >= 0) return all.find(one => way.indexOf(one) >= circle) ?? at
    way.push(cause)
    at = cause
  }
}

/** Without those of the canary, which is evidence of its own; where there are no others, these. */
function ownOf (datasets: readonly DatasetHealth[]): readonly DatasetHealth[] {
  const own = datasets.filter(({ topic }) => topic !== CANARY)
  return own.length === 0 ? datasets : own
}

function sentenceOf ({ canary, now }: Facts, datasets: readonly DatasetHealth[], problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error')
  const warnings = problems.filter(({ severity }) => severity === 'warning')
  const [first] = errors
  if (first !== undefined) {
    const others = errors.length > 1 ? ` ${count(errors.length - 1, 'other problem')}.` : ''
    return `${first.cause.replace(/\.$/, '')}.${first.datasets.length === 0 ? '' : ` It holds up ${listed(first.datasets)}.`}${others}`
  }
  const arrived = canary.state === 'ok' ? `the canary of ${Math.round((now - canary.at) / 1000)} s ago arrived everywhere` : canary.state === 'waiting' ? 'the first canary is on its way' : 'no canary is sent that would prove it'
  const fresh = datasets.filter(({ state }) => state !== 'stale' && state !== 'behind').length
  const rows = datasets.length === 0 ? 'All parts work' : fresh === datasets.length ? `${datasets.length === 1 ? 'The one dataset is' : `All ${datasets.length} datasets are`} up to date` : `${fresh} of ${datasets.length} datasets are up to date`
  return `${rows}, and ${arrived}${warnings.length === 0 ? '' : `; ${count(warnings.length, 'warning')}`}.`
}

function evidenceOf ({ engine, warehouse, topics, disk, canary, pipelines, jobs, now }: Facts, datasets: readonly DatasetHealth[]): Evidence[] {
  const running = pipelines.filter(({ healthy }) => healthy)
  const failed = jobs.filter(({ last }) => last?.state === 'failed')
  return [
    { what: 'canary', ok: canary.state === 'ok', detail: canary.at === 0 ? canary.state : `the newest one that arrived everywhere was made ${Math.round((now - canary.at) / 1000)} s ago` },
    { what: 'datasets', ok: datasets.every(({ state }) => state === 'fresh' || state === 'closed' || state === 'quiet'), detail: datasets.length === 0 ? 'there are none' : freshText(datasets.map(({ state }) => state)) },
    { what: 'pipelines', ok: running.length === pipelines.length, detail: `${running.length} of ${pipelines.length} are as they should be` },
    { what: 'jobs', ok: failed.length === 0, detail: failed.length === 0 ? 'none has failed' : `${failed.map(({ task }) => task.id).join(', ')} failed` },
    { what: 'broker', ok: topics.known, detail: topics.known ? `${topics.value.size} topics` : topics.reason },
    { what: 'streaming database', ok: engine.known, detail: engine.known ? 'answers' : engine.reason },
    ...warehouse === undefined ? [] : [{ what: 'warehouse', ok: warehouse.known, detail: warehouse.known ? 'answers' : warehouse.reason }],
    { what: 'disk', ok: disk.known, detail: disk.known ? `${(disk.value.freeBytes / 2 ** 30).toFixed(1)} of ${(disk.value.totalBytes / 2 ** 30).toFixed(0)} GB free` : disk.reason }
  ]
}

function listed (names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more datasets`
}

function count (number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function freshText (states: readonly string[]): string {
  const closed = states.filter(state => state === 'closed').length
  return `${states.filter(state => state === 'fresh').length} of ${states.length} are fresh${closed === 0 ? '' : `, the market of ${closed} is closed`}`
}
