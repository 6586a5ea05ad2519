import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { html } from '../../kit/html.ts'
import { rate, seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'
import type { StepEntry } from './shapes.ts'

const EVERY_MS = 3000
const SHOWN_OPTIONS = 4
const SHOWN_CHARS = 80

/** Sources or destinations as cards, by pipeline, with how they are. */
export function Steps ({ kind }: { readonly kind: 'input' | 'output' }): VNode {
  const place = kind === 'input' ? 'sources' : 'destinations'
  const steps = useResource<readonly StepEntry[]>(`/v1/${place}`, { every: EVERY_MS })
  return html`<${Loaded} of=${steps} lines=${6}>${(found: readonly StepEntry[]) => {
    const pipelines = [...new Set(found.map(({ pipeline }) => pipeline))]
    if (found.length === 0) return html`<${Section} title=${kind === 'input' ? 'No source yet' : 'No destination yet'}><${Empty} title="Nothing is here">${may('pipelines:write') ? html`<a href=${href(['setup', place, 'new'])}>Add the first one.</a>` : 'It can be added with the scope pipelines:write.'}</${Empty}></${Section}>`
    if (kind === 'input') return html`<${Section} title="Sources" note="of all pipelines"><div class="cards">${found.map(one => html`<${Card} key=${one.pipeline} place=${place} entry=${one} named />`)}</div></${Section}>`
    return pipelines.map(pipeline => html`<${Section} key=${pipeline} title=${pipeline} note=${html`topic <code>${found.find(one => one.pipeline === pipeline)?.topic}</code>`} actions=${html`<a class="button small" href=${href(['pipelines', pipeline])}>Open the pipeline</a>${may('pipelines:write') && html`<a class="button small" href=${href(['setup', 'destinations', 'new'], { pipeline })} aria-label=${`Add a destination of ${pipeline}`}><${Icon} name="plus" size=${12} />Add</a>`}`}>
      <div class="cards">${found.filter(one => one.pipeline === pipeline).map(one => html`<${Card} key=${one.step} place=${place} entry=${one} />`)}</div>
    </${Section}>`)
  }}</${Loaded}>`
}

function Card ({ place, named = false, entry: { pipeline, step, name, plugin, options, state, ok, reason, dataset, topic, rows_per_second: rowsPerSecond, lag_seconds: lag } }: { readonly place: string, readonly named?: boolean, readonly entry: StepEntry }): VNode {
  const told = Object.entries(options).filter(([, value]) => value !== null && value !== '' && JSON.stringify(value) !== '{}' && JSON.stringify(value) !== '[]').slice(0, SHOWN_OPTIONS)
  return html`<article class="step-card">
    <header><h3>${named ? html`<a href=${href(['pipelines', pipeline])}>${pipeline}</a>` : name}</h3><${Mark} state=${state} level=${ok ? undefined : 'bad'} /></header>
    <p class="faint small">${named ? html`${plugin} into <code>${topic}</code>, ` : plugin !== name && html`plugin ${plugin}, `}${rate(rowsPerSecond)}${lag !== undefined && lag > 1 && `, ${seconds(lag)} behind`}${dataset !== undefined && html`, dataset <strong>${dataset}</strong>`}</p>
    ${!ok && reason !== undefined && html`<p class="small over-text">${reason}</p>`}
    <dl class="step-options">${told.map(([option, value]) => html`<div><dt>${option}</dt><dd>${short(value)}</dd></div>`)}</dl>
    ${may('pipelines:write') && html`<div class="buttons end">${named && html`<a class="button small" href=${href(['setup', 'teardown', 'pipeline', pipeline])} aria-label=${`Tear down ${pipeline}`}><${Icon} name="trash" size=${12} />Tear down</a>`}<a class="button small" href=${href(['setup', place, pipeline, step])} aria-label=${`Change ${step} of ${pipeline}`}>Change</a></div>`}
  </article>`
}

function short (value: unknown): string {
  const text = typeof value === 'string' ? value : Array.isArray(value) && value.every(one => typeof one !== 'object') ? value.join(', ') : JSON.stringify(value)
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text
}
