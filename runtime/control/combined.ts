// Pipelines as all runtimes have them: where several share one, its state is the worst and its rates are the sum.

import type { MeasuredStatus, Member } from '../fleet.ts'

export interface CombinedStatus extends MeasuredStatus {
  /** How each runtime has it; empty: there is one runtime. */
  readonly runtimes: ReadonlyArray<{ readonly runtime: string, readonly state: string, readonly healthy: boolean }>
}

type Step = MeasuredStatus['steps'][number]
interface Part { readonly runtime: string, readonly status: MeasuredStatus }

/** The worst first. */
const states: readonly string[] = ['broken', 'backing_off', 'starting', 'stopping', 'running', 'ended', 'scheduled', 'paused', 'disabled']

export function combine (members: readonly Member[]): CombinedStatus[] {
  const byId = new Map<string, Part[]>()
  for (const { runtime, pipelines } of members) {
    for (const status of pipelines) byId.set(status.id, [...byId.get(status.id) ?? [], { runtime, status }])
  }
  const several = members.length > 1
  return [...byId.values()].map(parts => ({ ...merge(parts, several), runtimes: several ? parts.map(({ runtime, status: { state, healthy } }) => ({ runtime, state, healthy })) : [] }))
    .sort((a, b) => a.id < b.id ? -1 : 1)
}

function merge (parts: readonly Part[], several: boolean): MeasuredStatus {
  const statuses = parts.map(({ status }) => status)
  const worst = statuses.toSorted((a, b) => Number(a.healthy) - Number(b.healthy) || states.indexOf(a.state) - states.indexOf(b.state))[0] as MeasuredStatus
  if (!several) return worst
  const revisions = new Set(statuses.map(({ revision }) => revision).filter(revision => revision !== ''))
  const unlike = revisions.size > 1 ? ['Its runtimes run different revisions: reload'] : []
  return {
    ...worst,
    healthy: unlike.length === 0 && statuses.every(({ healthy }) => healthy),
    reasons: [...unlike, ...parts.flatMap(({ runtime, status }) => status.reasons.map(reason => `${runtime}: ${reason}`))],
    restarts: sum(statuses.map(({ restarts }) => restarts)),
    since: Math.max(...statuses.map(({ since }) => since)),
    steps: mergeSteps(parts)
  }
}

function mergeSteps (parts: readonly Part[]): Step[] {
  const byName = new Map<string, Array<{ readonly runtime: string, readonly step: Step }>>()
  for (const { runtime, status } of parts) {
    for (const step of status.steps) byName.set(step.step, [...byName.get(step.step) ?? [], { runtime, step }])
  }
  return [...byName.values()].map(all => {
    const failing = all.find(({ step }) => !step.ok)
    // One that waits for its turn says nothing about the step.
    const shown = failing ?? all.find(({ step }) => step.state !== 'standby') ?? all[0] as typeof all[number]
    return {
      ...shown.step,
      ...(failing?.step.reason !== undefined && { reason: `${failing.runtime}: ${failing.step.reason}` }),
      rows_per_second: sum(all.map(({ step }) => step.rows_per_second))
    }
  })
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
