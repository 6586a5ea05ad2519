import { FieldsField } from './fields-field.ts'
import { lengths } from './every.ts'
import { ask, listOf } from './question.ts'
import { kindOf } from '../data/shapes.ts'
import { Labelled } from '../../parts/form.ts'
import { html } from '../../kit/html.ts'
import type { Control } from '../../parts/form.ts'
import type { Dataset } from '../data/shapes.ts'
import type { Question } from './question.ts'
import type { VNode } from '../../kit/html.ts'

type Options = ReadonlyArray<readonly [value: string, title: string]>

interface Props { readonly question: Question, readonly dataset: Dataset, readonly datasets: readonly Dataset[] }

/** What only one kind of question has. */
export function KindFields ({ question, dataset, datasets }: Props): VNode {
  const { kind, params } = question
  const order = html`<${Choice} label="Order" name="sort" params=${params} options=${[['', 'Oldest first'], ['desc', 'Newest first']]} />`
  const more = html`
    <${Text} label="Rows at most" name="limit" params=${params} placeholder="all" pattern="[1-9][0-9]{0,8}" />
    <${Choice} label="Which time" name="on_time" params=${params} options=${[['', 'When it happened'], ['ingest', 'When it came in']]} />
    <${Choice} label="Decimals as" name="price_type" params=${params} options=${[['', 'numbers'], ['decimal', 'exact text'], ['fixed', 'integers of 1e-9']]} />`
  if (kind === 'bars') {
    const numbers: Options = [['', 'automatic'], ...dataset.columns.filter(column => kindOf(column) === 'number').map(({ name }) => [name, name] as const)]
    return html`<div class="filters">
      <${Text} label="A bar is" name="every" params=${params} placeholder="such as 5m" list=${lengths} required />
      <${Choice} label="Price" name="price" params=${params} options=${numbers} />
      <${Choice} label="Size" name="size" params=${params} options=${numbers} />
      <${Choice} label="Empty bars" name="fill" params=${params} options=${[['', 'are left out'], ['null', 'have nulls'], ['prev', 'have the close before'], ['zero', 'have zeros']]} />
      <${Text} label="Days begin in" name="tz" params=${params} placeholder="UTC" list=${['America/New_York', 'Europe/London', 'Europe/Berlin', 'Asia/Tokyo']} />
      ${order}
    </div>`
  }
  if (kind === 'join') {
    const right = datasets.find(one => one.dataset === params['right'])
    return html`<div class="filters">
        <${Choice} label="Join with" name="right" params=${params} options=${[['', 'choose'], ...datasets.map(one => [one.dataset, one.dataset] as const)]} required />
        <${Text} label="Not older than" name="tolerance" params=${params} placeholder="1d" list=${['1s', '10s', '1m', '5m', '1h', '1d']} />
        <${Choice} label="Which row of it" name="direction" params=${params} options=${[['', 'the last one before'], ['forward', 'the first one after']]} />
        <${Choice} label="Known by" name="on_time" params=${params} options=${[['', 'when it happened'], ['ingest', 'when it was known here']]} />
        ${order}
      </div>
      ${right !== undefined && html`<${FieldsField} label=${`Fields of ${right.dataset}`} columns=${right.columns} fields=${listOf(params['take'])} onChange=${(take: readonly string[]) => ask({ take: take.join(',') })} />`}`
  }
  return html`<div class="filters">${order}${more}</div>`
}

interface InputProps { readonly label: string, readonly name: string, readonly params: Question['params'], readonly required?: boolean }

function Choice ({ label, name, params, options, required = false }: InputProps & { readonly options: Options }): VNode {
  return html`<${Labelled} label=${label} required=${required}>${(control: Control) => html`<select ...${control} value=${params[name] ?? ''} onChange=${(event: Event) => ask({ [name]: (event.target as HTMLSelectElement).value })}>${options.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select>`}</${Labelled}>`
}

function Text ({ label, name, params, required = false, placeholder, pattern, list = [] }: InputProps & { readonly placeholder: string, readonly pattern?: string, readonly list?: readonly string[] }): VNode {
  return html`<${Labelled} label=${label} required=${required}>${(control: Control) => html`<input ...${control} type="text" autocomplete="off" spellcheck=${false} placeholder=${placeholder} pattern=${pattern} list=${list.length === 0 ? undefined : `${control.id}-list`} value=${params[name] ?? ''} onInput=${(event: Event) => ask({ [name]: (event.target as HTMLInputElement).value.trim() })} />${list.length > 0 && html`<datalist id=${`${control.id}-list`}>${list.map(one => html`<option value=${one}></option>`)}</datalist>`}`}</${Labelled}>`
}
