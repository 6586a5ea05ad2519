import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { number } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import type { QualityLevel, QualityResult, QualityRule } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

const order: readonly QualityLevel[] = ['error', 'warn', 'ok']

/** All rules with the newest result of each. */
export function Rules ({ rules }: { readonly rules: readonly QualityRule[] }): VNode {
  return html`<${Section} title="Rules" note="they stand in the schemas"><${Table} label="Quality rules" name="rules" rows=${rules} keyOf=${({ topic, rule }: QualityRule) => `${topic} ${rule}`} detail=${(rule: QualityRule) => html`<${Detail} rule=${rule} />`} columns=${[
    { id: 'state', title: 'State', value: (rule: QualityRule) => newest(rule)?.level ?? 'none', cell: (rule: QualityRule) => html`<${LevelMark} level=${newest(rule)?.level} />` },
    { id: 'topic', title: 'Dataset', value: ({ topic }: QualityRule) => topic, cell: ({ topic }: QualityRule) => html`<a href=${href(['quality'], { tab: 'results', topic })}>${topic}</a>` },
    { id: 'rule', title: 'Rule', value: ({ rule }: QualityRule) => rule, cell: ({ rule, rejects }: QualityRule) => html`${rule}${rejects && html` <span class="tag">refuses rows</span>`}` },
    { id: 'value', title: 'Measured', right: true, cell: (rule: QualityRule) => measured(newest(rule)) },
    { id: 'limits', title: 'It must be', grow: true, wide: true, cell: ({ warn, error }: QualityRule) => html`<span class="faint">${limits(warn, error)}</span>` },
    { id: 'at', title: 'Checked', wide: true, value: (rule: QualityRule) => newest(rule)?.at, cell: (rule: QualityRule) => html`<${Time} at=${newest(rule)?.at} />` }
  ]} /></${Section}>`
}

function Detail ({ rule: { topic, description, dimension, metric, during, results } }: { readonly rule: QualityRule }): VNode {
  return html`${description !== '' && html`<p>${description}</p>`}
    <p class="faint">It measures <code>${metric}</code>${dimension !== '' && `, for ${dimension}`}${during !== '' && `, while ${during} is open`}. It stands in <a href=${href(['setup', 'files'], { file: `schemas/${topic}.yaml` })}>schemas/${topic}.yaml</a>.</p>
    <ul>${results.map(one => html`<li><${LevelMark} level=${one.level} /> <strong>${one.dataset}</strong>, ${one.scope === 'day' ? `the day ${new Date(one.from).toISOString().slice(0, 10)}` : 'the last minutes'}: ${one.message === '' ? measured(one) : one.message} <span class="faint"><${Time} at=${one.at} /></span></li>`)}${results.length === 0 && html`<li class="faint">It was not checked yet${metric === 'mapping' ? ', or by the mapping only' : ''}.</li>`}</ul>`
}

/** How a check ended, in a word. */
export function LevelMark ({ level }: { readonly level: QualityLevel | undefined }): VNode {
  return level === undefined ? html`<${Mark} level="idle" word="not checked" quiet />` : html`<${Mark} level=${level === 'error' ? 'bad' : level} word=${level === 'ok' ? 'holds' : level === 'warn' ? 'warns' : 'fails'} />`
}

export function measured (result: QualityResult | undefined): string {
  return result?.value === undefined || result.value === null ? '–' : `${number(result.value)}${unitText(result.unit)}`
}

function unitText (unit: string): string {
  return unit === 'percent' ? '%' : unit === 'seconds' ? ' s' : unit === 'rows' || unit === '' ? '' : ` ${unit}`
}

/** The worst of the newest results. */
function newest ({ results }: QualityRule): QualityResult | undefined {
  return [...results].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level))[0]
}

function limits (warn: string | null, error: string | null): string {
  return [warn !== null && `${bare(warn)}, or it warns`, error !== null && `${bare(error)}, or it fails`].filter(Boolean).join('; ')
}

function bare (threshold: string): string {
  return threshold.replace(/^must be /, '')
}
