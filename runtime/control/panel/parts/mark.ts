import { Icon } from './icon.ts'
import { html } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

/** How something is: never by colour alone, always with an icon and a word. */
export type Level = 'ok' | 'warn' | 'bad' | 'busy' | 'idle' | 'off' | 'unknown'

/** Which states of pipelines, steps, runs, rules and datasets have which level. */
const statesOf: Readonly<Record<Exclude<Level, 'unknown'>, string>> = {
  ok: 'ok up running streaming generating live succeeded applied available fresh done passed allowed connected active',
  warn: 'warn warning degraded behind backing_off stale interrupted late competing rolled_back expiring',
  bad: 'bad error down failed broken missing rejected refused denied needs_login disconnected fatal',
  busy: 'busy starting stopping connecting queued waiting retrying pending',
  idle: 'idle notice absent scheduled ended unchanged quiet manual closed',
  off: 'off paused disabled cancelled resting silenced'
}
const levels = new Map(Object.entries(statesOf).flatMap(([level, states]) => states.split(' ').map(state => [state, level as Level] as const)))

/** A state that is not known here is `unknown`. */
export function levelOf (state: string | undefined): Level {
  return levels.get(state ?? '') ?? 'unknown'
}

/** An icon and a word in the colour of the level. `word` is the state itself where it is left out. */
export function Mark ({ state, level = levelOf(state), word = words(state), quiet = false }: { readonly state?: string, readonly level?: Level, readonly word?: string, readonly quiet?: boolean }): VNode {
  return html`<span class="mark ${level} ${quiet ? 'quiet' : ''}"><${Icon} name=${level} size=${14} /><span>${word}</span></span>`
}

/** `backing_off` as `backing off`. */
export function words (state: string | undefined): string {
  return (state ?? 'unknown').replaceAll('_', ' ')
}

/** The worst of some levels. */
export function worst (given: readonly Level[]): Level {
  return order.find(level => given.includes(level)) ?? 'ok'
}

const order: readonly Level[] = ['bad', 'warn', 'busy', 'unknown', 'off', 'idle', 'ok']
