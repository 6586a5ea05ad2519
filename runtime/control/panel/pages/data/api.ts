import { Code } from '../../parts/code.ts'
import { Section } from '../../parts/page.ts'
import { Tabs, tabOf } from '../../parts/tabs.ts'
import { html } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { snippets } from '../explore/snippets.ts'
import type { DatasetDetail } from './shapes.ts'
import type { Question } from '../explore/question.ts'
import type { VNode } from '../../kit/html.ts'

const tabs = snippets.map(({ id, label }) => ({ id, title: label }))

/** How other programs read the dataset: rows, bars, last rows and what comes live. */
export function ApiTab ({ dataset: { dataset, sample, key } }: { readonly dataset: DatasetDetail }): VNode {
  const snippet = snippets.find(({ id }) => id === tabOf(tabs, 'in')) ?? snippets[0]
  const symbol = sample[0]?.[key[0] ?? '']
  const symbols = typeof symbol === 'string' ? { symbols: symbol } : {}
  const questions: ReadonlyArray<readonly [string, Question]> = [
    ['Rows of the last day', { kind: 'data', dataset, params: { ...symbols, last: '1d' } }],
    ['Bars of five minutes', { kind: 'bars', dataset, params: { ...symbols, every: '5m', last: '7d' } }],
    ['The last row of each symbol', { kind: 'latest', dataset, params: {} }]
  ]
  const live = `curl -N -H "Authorization: Bearer $TWOLANE_TOKEN" \\\n  '${location.origin}/v1/live/${encodeURIComponent(dataset)}'`
  return html`
    <${Tabs} tabs=${tabs} label="Languages" name="in" />
    ${questions.map(([title, question]) => html`<${Section} title=${title} actions=${html`<a class="button small" href=${href(['explore'], { dataset, kind: question.kind, ...question.params })}>In Explore</a>`}><${Code} text=${snippet?.text(question) ?? ''} language=${snippet?.language} what=${title} /></${Section}>`)}
    <${Section} title="As rows come" note="server-sent events; the same over a WebSocket"><${Code} text=${live} language="shell" what="the command" /></${Section}>
    <p class="faint small">Make a token of your own on the page <a href=${href(['access'], { tab: 'tokens' })}>Access</a>. All calls are described in <a href=${href(['docs'])}>Docs</a>.</p>`
}
