// The files of the project: read by everybody who may look, changed by those who may, always by way of a plan.

import { Editor } from './editor.ts'
import { Applied, Review } from './review.ts'
import { Dialog } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { act } from '../../parts/toast.ts'
import { send } from '../../kit/api.ts'
import { useDraft } from '../../kit/draft.ts'
import { classes, html, useState } from '../../kit/html.ts'
import { bytes } from '../../kit/number.ts'
import { go, href, route } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Problem } from '../../kit/api.ts'
import type { Change, FileProblem, Plan, ProjectFile } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'
import type { Receipt } from '../../kit/shapes.ts'

interface FileText { readonly path: string, readonly kind: ProjectFile['kind'], readonly hash: string, readonly text: string }

const kinds: ReadonlyArray<readonly [ProjectFile['kind'], string]> = [['pipeline', 'Pipelines'], ['test', 'Tests of pipelines'], ['schema', 'Schemas'], ['model', 'Models'], ['config', 'Settings']]

export function Files (): VNode {
  const files = useResource<{ files: readonly ProjectFile[] }>('/v1/files')
  const { file } = route.value.query
  const [isNew, setNew] = useState(false)
  return html`<${Loaded} of=${files} lines=${8}>${({ files: found }: { files: readonly ProjectFile[] }) => html`<div class="file-view">
    <${Section} title="Files" actions=${html`<button type="button" class="small" onClick=${download}><${Icon} name="down" size=${12} />Export</button>${may('pipelines:write') && html`<button type="button" class="small" onClick=${() => setNew(true)}><${Icon} name="plus" size=${12} />New file</button>`}`}>
      <nav class="file-tree" aria-label="Files of the project">${kinds.map(([kind, title]) => {
        const own = found.filter(one => one.kind === kind)
        return own.length > 0 && html`<h3>${title}</h3><ul>${own.map(({ path, bytes: size }) => html`<li><a href=${href(['setup', 'files'], { file: path })} class=${classes(path === file && 'current')} aria-current=${path === file ? 'true' : undefined}><span>${path.slice(path.indexOf('/') + 1)}</span><span class="faint small">${bytes(size)}</span></a></li>`)}</ul>`
      })}</nav>
    </${Section}>
    ${file === undefined
      ? html`<${Section} title="No file is chosen"><${Empty} title="Choose a file">Whatever is changed is planned first: what differs, what is wrong and on which line, what starts and stops.</${Empty}></${Section}>`
      : html`<${FileEditor} key=${file} path=${file} />`}
    ${isNew && html`<${NewFile} onClose=${() => setNew(false)} />`}
  </div>`}</${Loaded}>`
}

function FileEditor ({ path }: { readonly path: string }): VNode {
  const file = useResource<FileText>(`/v1/files/${path}`)
  // Only the platform knows: the list beside it may be older than the file.
  const missing = file.problem?.status === 404
  if (!missing && file.data === undefined) return html`<${Loaded} of=${file} lines=${8}>${() => ''}</${Loaded}>`
  return html`<${Edited} path=${path} file=${missing ? undefined : file.data} again=${file.again} />`
}

/** What somebody has typed, and the hash of the text that they began with; empty: there was no file. */
interface Typed { readonly text: string, readonly hash: string }

function Edited ({ path, file, again }: { readonly path: string, readonly file: FileText | undefined, readonly again: () => Promise<void> }): VNode {
  const { value: typed, set, forget } = useDraft<Typed | undefined>(`file ${path}`, undefined)
  const [change, setChange] = useState<{ readonly body: Change, readonly at: number }>()
  const [problems, setProblems] = useState<readonly FileProblem[]>([])
  const [receipt, setReceipt] = useState<Receipt>()
  const mayWrite = may('pipelines:write')
  const before = file?.text ?? ''
  const text = typed?.text ?? before
  const hash = file?.hash ?? ''
  const differs = typed !== undefined && text !== before
  const outdated = differs && typed.hash !== hash
  const plan = (next: string | null, from = typed?.hash ?? hash): void => {
    setReceipt(undefined)
    setChange({ at: (change?.at ?? 0) + 1, body: { files: [{ path, text: next, hash: from }] } })
  }
  const reset = (): void => {
    setChange(undefined)
    setProblems([])
  }
  const edit = (next: string): void => {
    if (next === before) forget()
    else set({ text: next, hash: typed?.hash ?? hash })
    reset()
  }
  const overTheirs = (): void => {
    set({ text, hash })
    plan(text, hash)
  }
  const onApplied = (done: Receipt): void => {
    setReceipt(done)
    void again().then(() => forget())
  }
  return html`<${Section} title=${path} note=${!mayWrite ? 'to change it needs the scope pipelines:write' : differs ? 'changed, not applied yet' : undefined}>
    ${outdated && receipt === undefined && html`<${Outdated} onCompare=${overTheirs} onTake=${() => { forget(); reset() }} />`}
    <${Editor} label=${path} text=${text} rows=${30} problems=${problems} readOnly=${!mayWrite} onInput=${edit} />
    ${mayWrite && html`<div class="buttons">
      <button type="button" class="primary" disabled=${!differs || outdated} onClick=${() => plan(text)}>Plan the change</button>
      <button type="button" disabled=${!differs} onClick=${() => edit(before)}>Undo</button>
      ${file !== undefined && html`<button type="button" class="danger" onClick=${() => plan(null, hash)}><${Icon} name="trash" size=${12} />Remove the file</button>`}
      ${file !== undefined && teardowns(path)}
    </div>`}
    ${receipt !== undefined
      ? html`<${Applied} receipt=${receipt} />`
      : change !== undefined && html`<${Review} key=${change.at} change=${change.body} onPlan=${(found: Plan) => setProblems(found.problems.filter(one => one.file === path))} onProblem=${({ code }: Problem) => { if (code === 'FILE_CHANGED') void again() }} onApplied=${onApplied} />`}
  </${Section}>`
}

/** A schema stands for a topic and a dataset, which go with more than their file. */
function teardowns (path: string): VNode | false {
  const [, topic] = /^schemas\/([a-z0-9_.-]+)\.yaml$/.exec(path) ?? []
  return topic !== undefined && html`<a href=${href(['setup', 'teardown', 'topic', topic])}>Tear down the topic</a><a href=${href(['setup', 'teardown', 'dataset', topic])}>Tear down the dataset</a>`
}

function Outdated ({ onCompare, onTake }: { readonly onCompare: () => void, readonly onTake: () => void }): VNode {
  return html`<div class="notice outdated" role="alert">
    <p><strong>Somebody else has changed this file since you began.</strong> What you typed is kept, and nothing was written.</p>
    <div class="buttons"><button type="button" onClick=${onCompare}>Compare mine with theirs</button><button type="button" onClick=${onTake}>Take theirs</button></div>
  </div>`
}

function NewFile ({ onClose }: { readonly onClose: () => void }): VNode {
  const [path, setPath] = useState('')
  const right = /^(?:pipelines\/[a-z0-9][a-z0-9_-]*(?:\.test)?\.yaml|schemas\/[a-z_][a-z0-9_.-]*\.yaml|schemas\/models\/[a-z][a-z0-9_]*\.sql|config\/(?:calendars\/)?[A-Za-z0-9][A-Za-z0-9_-]*\.yaml)$/.test(path)
  const submit = (event: Event): void => {
    event.preventDefault()
    go(['setup', 'files'], { file: path })
    onClose()
  }
  return html`<${Dialog} title="New file" onClose=${onClose}><form onSubmit=${submit}>
    <${Labelled} label="Path" required hint="pipelines/<id>.yaml, pipelines/<id>.test.yaml, schemas/<topic>.yaml, schemas/models/<name>.sql or config/<name>.yaml" error=${path === '' || right ? undefined : 'There are no files with such names here.'}>${(control: Control) => html`<input ...${control} class="mono" autocomplete="off" spellcheck=${false} placeholder="pipelines/ticks.yaml" value=${path} onInput=${(event: Event) => setPath((event.target as HTMLInputElement).value)} />`}</${Labelled}>
    <div class="buttons end"><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary" disabled=${!right}>Write it</button></div>
  </form></${Dialog}>`
}

function download (): void {
  void act(async () => { save(await (await send('GET', '/v1/export')).blob(), 'twolane-project.tar.gz') }, 'The project was exported, with secrets as ***.')
}

/** Gives a file to whoever sits in front of the page. */
export function save (content: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
