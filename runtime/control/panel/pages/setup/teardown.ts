import { Confirm } from '../../parts/dialog.ts'
import { Icon } from '../../parts/icon.ts'
import { Page, Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { say } from '../../parts/toast.ts'
import { post, problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { go, href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'
import type { PipelineStatus } from '../../kit/shapes.ts'

interface Plan {
  readonly kind: string
  readonly name: string
  readonly goes: ReadonlyArray<{ readonly what: string, readonly size: string, readonly rows: boolean }>
  readonly stays: readonly string[]
  readonly readers: readonly string[]
}

/** What would go and what would stay, before it goes for good. */
export function Teardown ({ kind, name }: { readonly kind: string, readonly name: string }): VNode {
  const plan = useResource<Plan>(`/v1/teardown/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`)
  const pipeline = useResource<PipelineStatus>(kind === 'pipeline' ? `/v1/pipelines/${encodeURIComponent(name)}` : undefined)
  const [rows, setRows] = useState(false)
  const [asks, setAsks] = useState(false)
  return html`<${Page} name=${`Tear down ${name}`} note=${`The ${kind} ${name}, for good`} crumbs=${[{ title: 'Setup', path: ['setup'] }]}>
    <${Loaded} of=${plan} lines=${6}>${(found: Plan) => {
      const hasRows = found.goes.some(one => one.rows)
      const goes = found.goes.filter(one => rows || !one.rows)
      return html`
        ${found.readers.length > 0 && html`<div class="problem missing" role="note"><${Icon} name="lock" /><div><p><strong>It is still read.</strong> It can go once nobody reads it:</p><ul>${found.readers.map(reader => html`<li>${reader}</li>`)}</ul></div></div>`}
        <div class="two">
          <${Section} title="What goes"><ul class="plain">${goes.map(({ what, size }) => html`<li><${Icon} name="trash" size=${14} /> ${what} <span class="faint">${size}</span></li>`)}${goes.length === 0 && html`<li class="faint">Nothing, unless the rows go, too.</li>`}</ul></${Section}>
          <${Section} title="What stays"><ul class="plain">${found.stays.map(one => html`<li><${Icon} name="check" size=${14} /> ${one}</li>`)}${found.goes.filter(one => one.rows && !rows).map(({ what, size }) => html`<li><${Icon} name="check" size=${14} /> ${what} <span class="faint">${size}</span></li>`)}</ul></${Section}>
        </div>
        ${hasRows && html`<label class="tick"><input type="checkbox" checked=${rows} disabled=${!may('sql:write')} onChange=${() => setRows(!rows)} /><span>The rows go, too${!may('sql:write') && html` <span class="faint">(needs the scope sql:write)</span>`}</span></label>`}
        <div class="buttons"><button type="button" class="danger" disabled=${found.readers.length > 0} onClick=${() => setAsks(true)}><${Icon} name="trash" size=${12} />Tear down ${name}…</button></div>
        ${asks && html`<${Ask} kind=${kind} name=${name} rows=${rows} onClose=${() => setAsks(false)} />`}`
    }}</${Loaded}>
    ${pipeline.data !== undefined && html`<p class="faint small">Its topic and its dataset are torn down on their own, once nothing fills them: <a href=${href(['setup', 'teardown', 'topic', pipeline.data.topic])}>the topic ${pipeline.data.topic}</a>, <a href=${href(['setup', 'teardown', 'dataset', pipeline.data.topic])}>the dataset ${pipeline.data.topic}</a>.</p>`}
  </${Page}>`
}

function Ask ({ kind, name, rows, onClose }: { readonly kind: string, readonly name: string, readonly rows: boolean, readonly onClose: () => void }): VNode {
  const [problem, setProblem] = useState<Problem>()
  const run = async (): Promise<void> => {
    setProblem(undefined)
    try {
      await post(`/v1/teardown/${kind}/${name}`, { name, rows })
    } catch (error) {
      setProblem(problemOf(error))
      throw error
    }
    say(`The ${kind} ${name} is gone.`)
    await refresh()
    go(['setup', 'sources'])
  }
  return html`<${Confirm} title=${`Tear down ${name}?`} name=${name} button="Tear down" danger onConfirm=${run} onClose=${onClose}><p>This cannot be taken back${rows ? ', and its rows go with it' : ''}.</p>${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}</${Confirm}>`
}
