// A source or a destination is changed, or taken out of its pipeline. The form has what stands in the file, not what the
// platform makes of it: variables stay variables, and what is left out stays out.

import { ConnectionTest, OptionsForm, usePlugins } from './plugins.ts'
import { Applied, Review } from './review.ts'
import { formOf, nameOf, stepOf } from './step-form.ts'
import { Icon } from '../../parts/icon.ts'
import { checkValues } from '../../parts/form.ts'
import { Page, Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { useDraft } from '../../kit/draft.ts'
import { html, useState } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { StepForm } from './step-form.ts'
import type { Change, Options, Plugin } from './shapes.ts'
import type { Values } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'
import type { PipelineDetail, Receipt } from '../../kit/shapes.ts'

type Detail = PipelineDetail & { readonly definition?: { readonly input?: unknown, readonly outputs?: readonly unknown[] } }
type Kind = 'input' | 'output'

export function EditStep ({ kind, pipeline, step }: { readonly kind: Kind, readonly pipeline: string, readonly step: string }): VNode {
  const plugins = usePlugins()
  const detail = useResource<Detail>(`/v1/pipelines/${encodeURIComponent(pipeline)}`)
  const place = kind === 'input' ? 'sources' : 'destinations'
  return html`<${Page} name=${step.slice(step.indexOf('.') + 1)} note=${`${kind === 'input' ? 'Source' : 'Destination'} of the pipeline ${pipeline}`} crumbs=${[{ title: 'Setup', path: ['setup'] }, { title: kind === 'input' ? 'Sources' : 'Destinations', path: ['setup', place] }]} actions=${html`<a class="button" href=${href(['pipelines', pipeline])}>Open the pipeline</a>`}>
    <${Loaded} of=${detail} lines=${6}>${(found: Detail) => html`<${Loaded} of=${plugins}>${({ plugins: all }: { plugins: readonly Plugin[] }) => html`<${Chosen} kind=${kind} pipeline=${pipeline} step=${step} detail=${found} plugins=${all.filter(one => one.kind === kind)} />`}</${Loaded}>`}</${Loaded}>
  </${Page}>`
}

function Chosen ({ kind, pipeline, step, detail, plugins }: { readonly kind: Kind, readonly pipeline: string, readonly step: string, readonly detail: Detail, readonly plugins: readonly Plugin[] }): VNode {
  const name = step.slice(step.indexOf('.') + 1)
  // As it was when the form was opened: a step that was taken out just now still has its receipt to show.
  const [{ definition, resolved }] = useState(detail)
  const written = kind === 'input' ? definition?.input : definition?.outputs?.find(one => nameOf(one, plugins) === name)
  const used = kind === 'input' ? resolved?.input?.plugin : resolved?.outputs.find(one => one.name === step)?.plugin
  const plugin = plugins.find(one => one.name === used)
  if (written === undefined || plugin === undefined) {
    return html`<${Section} title="It cannot be changed by a form"><${Empty} title=${`The file has no such ${kind === 'input' ? 'source' : 'destination'}, or its plugin is not known`}><a href=${href(['setup', 'files'], { file: detail.file })}>Look at ${detail.file}</a></${Empty}></${Section}>`
  }
  return html`<${Form} kind=${kind} pipeline=${pipeline} step=${step} name=${name} plugin=${plugin} form=${formOf(written, plugin)} topic=${detail.topic} />`
}

interface FormProps { readonly kind: Kind, readonly pipeline: string, readonly step: string, readonly name: string, readonly plugin: Plugin, readonly form: StepForm, readonly topic: string }

function Form ({ kind, pipeline, step, name, plugin, form, topic }: FormProps): VNode {
  const { value: options, begun, set, forget } = useDraft<Values>(`step ${pipeline} ${step}`, form.options)
  const [change, setChange] = useState<{ readonly body: Change, readonly at: number }>()
  const [receipt, setReceipt] = useState<Receipt>()
  const errors = checkValues(plugin.schema, options)
  const make = (definition: Options | null): void => {
    setReceipt(undefined)
    setChange({ at: (change?.at ?? 0) + 1, body: kind === 'input' ? { input: { pipeline, definition } } : { output: { pipeline, name, definition } } })
  }
  const edit = (next: Values): void => {
    set(next)
    setChange(undefined)
  }
  const onApplied = (receipt: Receipt): void => {
    setReceipt(receipt)
    forget(options)
  }
  const undo = (): void => {
    forget()
    setChange(undefined)
  }
  return html`
    <${Section} title="Options" note=${html`plugin <code>${plugin.name}</code>`}>
      <p class="faint">${plugin.description}. A secret that stays is shown as ***; one that belongs to the machine is written as <code>$\{NAME}</code>.</p>
      <${OptionsForm} schema=${plugin.schema} values=${options} errors=${errors} onChange=${edit} />
      <${ConnectionTest} kind=${kind} plugin=${plugin.name} options=${options} topic=${topic} saved=${{ pipeline, step }} />
      <div class="buttons">
        <button type="button" class="primary" disabled=${Object.keys(errors).length > 0} onClick=${() => make(stepOf({ options, beside: form.beside }, plugin))}>Review the change</button>
        ${begun && html`<button type="button" onClick=${undo}>Undo</button>`}
        <button type="button" class="danger" onClick=${() => make(null)}><${Icon} name="trash" size=${12} />Take it out of the pipeline</button>
      </div>
    </${Section}>
    ${change !== undefined && html`<${Section} title="Review">${receipt === undefined ? html`<${Review} key=${change.at} change=${change.body} onApplied=${onApplied} />` : html`<${Applied} receipt=${receipt}><a href=${href(['pipelines', pipeline])}>See how it runs</a></${Applied}>`}</${Section}>`}`
}
