import { Lines, LINES_MAX } from './lines.ts'
import { Icon } from '../../parts/icon.ts'
import { Labelled } from '../../parts/form.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { complain } from '../../parts/toast.ts'
import { addressOf, get } from '../../kit/api.ts'
import { html, useEffect, useState } from '../../kit/html.ts'
import { useFollow } from '../../kit/follow.ts'
import { route, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { LogLine } from './lines.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

const PAGE_LINES = 200
const FOLLOWED_LINES = 100
const levels = ['debug', 'info', 'warn', 'error'] as const
const spans = [['15m', 'Last 15 minutes'], ['1h', 'Last hour'], ['6h', 'Last 6 hours'], ['1d', 'Last day'], ['7d', 'Last 7 days'], ['30d', 'Last 30 days']] as const

interface Page { readonly lines: readonly LogLine[], readonly next: string | null }

/** Lines that match what the address says; of one part where `part` is given. */
export function LogView ({ part }: { readonly part?: string }): VNode {
  const { query } = route.value
  const asked = { part: part ?? query['part'], level: query['level'], q: query['q'] }
  const live = query['live'] === '1'
  return html`<${Section} title="Log" actions=${html`<button type="button" aria-pressed=${live} onClick=${() => setQuery({ live: live ? undefined : '1' })}><${Icon} name=${live ? 'pause' : 'play'} size=${14} />${live ? 'Stop following' : 'Follow'}</button>`}>
    <${Filters} fixedPart=${part} />
    ${live ? html`<${Followed} key=${JSON.stringify(asked)} asked=${asked} />` : html`<${Found} key=${JSON.stringify([asked, query['last']])} asked=${{ ...asked, last: query['last'] ?? '1h' }} />`}
  </${Section}>`
}

function Filters ({ fixedPart }: { readonly fixedPart: string | undefined }): VNode {
  const { query } = route.value
  const [typed, setTyped] = useState(query['q'] ?? '')
  const pipelines = useResource<{ pipelines: ReadonlyArray<{ id: string }> }>(fixedPart === undefined ? '/v1/pipelines' : undefined)
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  return html`<form class="filters" role="search" onSubmit=${(event: Event) => { event.preventDefault(); setQuery({ q: typed }) }}>
    <div class="grow field"><label for="log-search">Words</label><input id="log-search" type="search" placeholder="in the message or its fields" value=${typed} onInput=${(event: Event) => setTyped(valueOf(event))} onChange=${() => setQuery({ q: typed })} /></div>
    ${fixedPart === undefined && html`<${Labelled} label="Part">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ part: valueOf(event) })}><option value="">All</option>${['platform', ...(pipelines.data?.pipelines ?? []).map(({ id }) => id)].map(id => html`<option value=${id} selected=${id === query['part']}>${id}</option>`)}</select>`}</${Labelled}>`}
    <${Labelled} label="Level">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ level: valueOf(event) })}><option value="">All</option>${levels.map(level => html`<option value=${level} selected=${level === query['level']}>${level} and worse</option>`)}</select>`}</${Labelled}>
    ${query['live'] !== '1' && html`<${Labelled} label="Time">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ last: valueOf(event) })}>${spans.map(([id, title]) => html`<option value=${id} selected=${id === (query['last'] ?? '1h')}>${title}</option>`)}</select>`}</${Labelled}>`}
  </form>`
}

type Asked = Readonly<Record<string, string | undefined>>

function Found ({ asked }: { readonly asked: Asked }): VNode {
  const first = useResource<Page>(addressOf('/v1/logs', { ...asked, limit: PAGE_LINES }))
  const [more, setMore] = useState<Page>({ lines: [], next: null })
  useEffect(() => {
    if (first.data !== undefined) setMore({ lines: [], next: first.data.next })
  }, [first.data])
  const onMore = async (): Promise<void> => {
    try {
      const page = await get<Page>('/v1/logs', { query: { ...asked, limit: PAGE_LINES, before: more.next ?? undefined } })
      setMore({ lines: [...more.lines, ...page.lines], next: page.next })
    } catch (error) {
      complain(error)
    }
  }
  return html`<${Loaded} of=${first} lines=${8}>${({ lines }: Page) => html`
    <${Lines} lines=${[...lines, ...more.lines].slice(0, LINES_MAX)} empty="No line matches. Try a longer time, or fewer words." />
    <div class="buttons"><button type="button" onClick=${first.again}><${Icon} name="again" size=${14} />Look again</button>
      ${more.next !== null && lines.length + more.lines.length < LINES_MAX && html`<button type="button" onClick=${onMore}>Older lines</button>`}</div>`}</${Loaded}>`
}

/** Lines as they come, the newest first; nothing is asked while the tab is hidden. */
function Followed ({ asked }: { readonly asked: Asked }): VNode {
  const [lines, setLines] = useState<readonly LogLine[]>([])
  const { state, problem } = useFollow(addressOf('/v1/logs/follow', { ...asked, lines: FOLLOWED_LINES }), event => {
    if (event.event !== 'line') return
    const line = JSON.parse(event.data) as LogLine
    setLines(old => old.some(({ id }) => id === line.id) ? old : [line, ...old].slice(0, LINES_MAX))
  })
  return html`<p class="small" role="status"><${Mark} state=${state} level=${state === 'live' ? 'ok' : state === 'failed' ? 'bad' : 'busy'} word=${state === 'live' ? 'following' : state} /></p>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <${Lines} lines=${lines} empty="Nothing was said yet." />`
}
