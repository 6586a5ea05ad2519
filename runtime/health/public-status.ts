// What people without a login may know: whether the parts work, and the datasets whose schemas say that they are public.
// Names of pipelines, sources, machines and other datasets are nobody's business.

import type { Incident } from './record.ts'
import type { Problem, State, Verdict } from './verdict.ts'

export interface PublicStatus {
  readonly state: State
  readonly sentence: string
  readonly at: string
  readonly parts: ReadonlyArray<{ readonly name: string, readonly state: State }>
  readonly datasets: ReadonlyArray<{ readonly dataset: string, readonly state: string, readonly seconds: number | null }>
  readonly canary: { readonly state: string, readonly at: string | null, readonly seconds: number | null }
  readonly incidents: ReadonlyArray<{ readonly part: string, readonly state: State, readonly since: string, readonly until: string | null }>
  readonly uptime: { readonly day: number | null, readonly month: number | null }
}

const sentences: Readonly<Record<State, string>> = { ok: 'All parts work.', degraded: 'Some parts do not work as they should.', down: 'Data does not go through at the moment.' }
const partNames = ['Connectors', 'Topics', 'Streaming database', 'Warehouse', 'Lake', 'Other destinations', 'Jobs', 'Platform'] as const
type PartName = typeof partNames[number]

/** The verdict without what is not public. Exact: nothing of a cause's text goes out. */
export function publicStatus ({ at, state, problems, datasets, canary }: Verdict, incidents: readonly Incident[], uptime: (days: number) => number | undefined): PublicStatus {
  const worst = new Map<PartName, State>()
  for (const problem of problems) {
    if (problem.severity !== 'error') continue
    worst.set(partOf(problem), isVital(problem) ? 'down' : 'degraded')
  }
  return {
    state,
    sentence: sentences[state],
    at: new Date(at).toISOString(),
    parts: partNames.map(name => ({ name, state: worst.get(name) ?? 'ok' })),
    datasets: datasets.filter(one => one.public).map(({ dataset, state, seconds }) => ({ dataset, state, seconds: seconds === undefined ? null : Math.round(seconds) })),
    canary: { state: canary.state, at: canary.at === 0 ? null : new Date(canary.at).toISOString(), seconds: canary.at === 0 ? null : Math.round((at - canary.at) / 1000) },
    incidents: incidents.map(one => ({ part: partOf({ id: one.problem }), state: one.state, since: new Date(one.since).toISOString(), until: one.until === 0 ? null : new Date(one.until).toISOString() })),
    uptime: { day: uptime(1) ?? null, month: uptime(30) ?? null }
  }
}

function isVital ({ id }: Problem): boolean {
  return id === 'engine' || id === 'warehouse' || id === 'broker'
}

function partOf ({ id }: Pick<Problem, 'id'>): PartName {
  const [kind = '', name = '', step = ''] = id.split('/')
  if (kind === 'engine') return 'Streaming database'
  if (kind === 'warehouse' || kind === 'handoff' || (kind === 'job' && name === 'handoff') || step.startsWith('outputs.warehouse')) return 'Warehouse'
  if (kind === 'broker') return 'Topics'
  if (kind === 'job') return 'Jobs'
  if (step.startsWith('outputs.lake')) return 'Lake'
  if (step.startsWith('outputs.streaming-database')) return 'Streaming database'
  if (step.startsWith('outputs.')) return 'Other destinations'
  if (kind === 'refused') return 'Topics'
  return kind === 'pipeline' || kind === 'dataset' || kind === 'quality' ? 'Connectors' : 'Platform'
}

const colours: Readonly<Record<State, string>> = { ok: '#1a7f37', degraded: '#9a6700', down: '#cf222e' }

/** A badge for other pages: 20 pixels high, without scripts or fonts of its own. */
export function badgeOf (state: State): string {
  const [left, right] = [62, 24 + state.length * 7]
  const width = left + right
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="Twolane: ${state}"><title>Twolane: ${state}</title>` +
    `<rect width="${left}" height="20" fill="#444"/><rect x="${left}" width="${right}" height="20" fill="${colours[state]}"/>` +
    `<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="${left / 2}" y="14">Twolane</text><text x="${left + right / 2}" y="14">${state}</text></g></svg>`
}
