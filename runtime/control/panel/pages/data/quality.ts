import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { number } from '../../kit/number.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { DatasetDetail } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

interface Result { readonly level: string, readonly value: number | null, readonly unit: string, readonly at: number, readonly scope: string, readonly message: string, readonly dataset: string }
interface Rule { readonly topic: string, readonly rule: string, readonly metric: string, readonly description: string, readonly dimension?: string, readonly warn?: string | null, readonly error?: string | null, readonly results?: readonly Result[] }

/** What must hold of the dataset, and what the last check found, for those who may see the platform. */
export function QualityTab ({ dataset }: { readonly dataset: DatasetDetail }): VNode {
  const allowed = may('platform:read')
  const all = useResource<{ rules: readonly Rule[] }>(allowed ? '/v1/quality' : undefined, { every: 10_000 })
  const topics = dataset.topic.split(', ')
  if (!allowed) return html`<${Section} title="Rules" note="results need the scope platform:read"><${Rules} rules=${dataset.quality.rules.map(({ name, ...rest }) => ({ topic: '', rule: name, ...rest }))} checked=${false} /></${Section}>`
  return html`<${Loaded} of=${all}>${({ rules }: { rules: readonly Rule[] }) => html`<${Section} title="Rules" note="with the latest result of each"><${Rules} rules=${rules.filter(({ topic }) => topics.includes(topic))} checked /></${Section}>`}</${Loaded}>`
}

function Rules ({ rules, checked }: { readonly rules: readonly Rule[], readonly checked: boolean }): VNode {
  const last = ({ results = [] }: Rule): Result | undefined => results.reduce<Result | undefined>((newest, one) => newest === undefined || one.at > newest.at ? one : newest, undefined)
  return html`<${Table} label="Quality rules" rows=${rules} keyOf=${({ rule, topic }: Rule) => `${topic} ${rule}`} empty=${{ title: 'No rules', text: html`Rules stand under <code>quality</code> in the schema of the topic.` }} columns=${[
    { id: 'rule', title: 'Rule', value: ({ rule }: Rule) => rule, cell: ({ rule, description }: Rule) => html`<strong title=${description}>${rule.replaceAll('_', ' ')}</strong>` },
    ...checked
      ? [
          { id: 'level', title: 'Result', value: (rule: Rule) => last(rule)?.level, cell: (rule: Rule) => html`<${Mark} state=${last(rule)?.level ?? 'waiting'} word=${last(rule)?.level ?? 'not checked yet'} />` },
          { id: 'value', title: 'Measured', right: true, cell: (rule: Rule) => `${number(last(rule)?.value)}${last(rule)?.unit === 'percent' ? ' %' : ''}` },
          { id: 'at', title: 'Checked', wide: true, cell: (rule: Rule) => last(rule) === undefined ? '–' : html`<${Time} at=${last(rule)?.at} />` },
          { id: 'must', title: 'What must be', wide: true, cell: ({ warn, error }: Rule) => html`<span class="must">${[error === null ? '' : `${error ?? ''}, or it is an error`, warn === null ? '' : `${warn ?? ''}, or it is a warning`].filter(text => text !== '').map(text => html`<span>${text.charAt(0).toUpperCase()}${text.slice(1)}</span>`)}</span>` }
        ]
      : [],
    { id: 'about', title: 'Meaning', grow: true, wide: true, cell: ({ description, metric }: Rule) => html`<span class="faint">${description === '' ? metric : description}</span>` }
  ]} />`
}
