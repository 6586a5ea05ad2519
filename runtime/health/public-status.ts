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
  readonly canary: { readonly state: string, readonly at: string | null, readonly seconds: number | null, readonly stopped_at: string | null }
  readonly incidents: ReadonlyArray<{ readonly part: string, readonly state: State, readonly since: string, readonly until: string | null }>
  readonly uptime: { readonly day: number | null, readonly month: number | null }
}

const sentences: Readonly<Record<State, string>> = { ok: 'All parts work.', degraded: 'Some parts do not work as they should.', down: 'Data does not go through at the moment.' }
const partNames = ['Connectors', 'Topics', 'Streaming database', 'Warehouse', 'Lake', 'Other destinations', 'Jobs', 'Platform'] as const
type PartName = typeof partNames[number]
const hopParts: Readonly<Record<string, PartName>> = { connector: 'Connectors', topic: 'Topics', 'streaming database': 'Streaming database', data: 'Streaming database', warehouse: 'Warehouse', lake: 'Lake' }

/** The verdict without what is not public. Exact: nothing of a cause's text goes out. */
export function publicStatus ({ at, state, problems, datasets, canary }: Verdict, incidents: readonly Incident[], uptime: (days: number) => number | undefined): PublicStatus {
  return {
    state,
    sentence: sentences[state],
    at: new Date(at).toISOString(),
    parts: partStates(problems),
    datasets: datasets.filter(one => one.public).map(({ dataset, state, seconds }) => ({ dataset, state, seconds: seconds === undefined ? null : Math.round(seconds) })),
    canary: { state: canary.state, at: canary.at === 0 ? null : new Date(canary.at).toISOString(), seconds: canary.at === 0 ? null : Math.round((at - canary.at) / 1000), stopped_at: canary.hops.find(({ state }) => state === 'late')?.hop ?? null },
    incidents: incidents.map(one => ({ part: partOf({ id: one.problem }), state: one.state, since: new Date(one.since).toISOString(), until: one.until === 0 ? null : new Date(one.until).toISOString() })),
    uptime: { day: uptime(1) ?? null, month: uptime(30) ?? null }
  }
}

/** All parts, always the same ones. */
export function partStates (problems: readonly Problem[]): Array<{ readonly name: string, readonly state: State }> {
  const errors = problems.filter(({ severity }) => severity === 'error')
  return partNames.map(name => {
    const own = errors.filter(problem => partOf(problem) === name)
    return { name, state: own.some(isVital) ? 'down' : own.length > 0 ? 'degraded' : 'ok' }
  })
}

function isVital ({ id }: Problem): boolean {
  return id === 'engine' || id === 'warehouse' || id === 'broker'
}

const kindParts: Readonly<Record<string, PartName>> = { engine: 'Streaming database', warehouse: 'Warehouse', handoff: 'Warehouse', broker: 'Topics', job: 'Jobs', refused: 'Topics', dataset: 'Connectors', quality: 'Connectors' }

function partOf ({ id }: Pick<Problem, 'id'>): PartName {
  const [kind = '', name = '', step = ''] = id.split('/')
  if (kind === 'canary') return hopParts[name] ?? 'Platform'
  if (kind === 'job' && name === 'handoff') return 'Warehouse'
  return kind === 'pipeline' ? stepPart(step) : kindParts[kind] ?? 'Platform'
}

function stepPart (step: string): PartName {
  if (step.startsWith('outputs.warehouse')) return 'Warehouse'
  if (step.startsWith('outputs.lake')) return 'Lake'
  if (step.startsWith('outputs.streaming-database')) return 'Streaming database'
  return step.startsWith('outputs.') ? 'Other destinations' : 'Connectors'
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
