import { readRows } from './sql-rows.ts'
import { LinesView } from './lines-view.ts'
import { ViewChoice } from './view-choice.ts'
import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Empty, ProblemBox } from '../../parts/problem.ts'
import { RowsTable } from '../../parts/rows-table.ts'
import { problemOf } from '../../kit/api.ts'
import { html, useEffect, useRef, useState } from '../../kit/html.ts'
import { plural } from '../../kit/number.ts'
import { route, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'
import type { Dataset } from '../data/shapes.ts'
import type { SqlRows } from './sql-rows.ts'

/** A longer statement is not put into the address. */
const ADDRESS_CHARS_MAX = 4000
/** So much of the text behind a fault tells it from others. */
const PLACE_CHARS = 40

/** One statement that reads, for those who may; what is wrong with it is marked where it stands. */
export function SqlTab (): VNode {
  const allowed = may('sql:read')
  const datasets = useResource<{ datasets: readonly Dataset[] }>(allowed ? '/v1/datasets' : undefined).data?.datasets ?? []
  const [sql, setSql] = useState(route.peek().query['sql'] ?? '')
  const [state, setState] = useState<{ readonly rows?: SqlRows, readonly problem?: Problem, readonly busy: boolean }>({ busy: false })
  const area = useRef<HTMLTextAreaElement>(null)
  const current = useRef(new AbortController())
  useEffect(() => () => current.current.abort(), [])
  if (!allowed) return html`<${Empty} title="Needs the scope sql:read">What can be asked without SQL is under Build.</${Empty}>`
  const run = async (): Promise<void> => {
    current.current.abort()
    const mine = current.current = new AbortController()
    setState({ busy: true })
    try {
      setState({ rows: await readRows(sql, mine.signal), busy: false })
    } catch (error) {
      if (mine.signal.aborted) return
      const problem = problemOf(error)
      setState({ problem, busy: false })
      select(area.current, placeOf(problem.detail, sql))
    }
  }
  const onInput = (event: Event): void => {
    const text = (event.target as HTMLTextAreaElement).value
    setSql(text)
    setQuery({ sql: text.length > ADDRESS_CHARS_MAX ? undefined : text })
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || sql.trim() === '') return
    event.preventDefault()
    void run()
  }
  const { rows, problem, busy } = state
  const at = problem === undefined ? undefined : placeOf(problem.detail, sql)
  return html`
    <form class="section question" aria-label="SQL" onSubmit=${(event: Event) => { event.preventDefault(); void run() }}>
      <div class="field"><label for="sql">SELECT, DESCRIBE, SHOW TABLES</label><textarea id="sql" ref=${area} class="mono" rows="7" spellcheck=${false} autocapitalize="off" aria-invalid=${at === undefined ? undefined : true} aria-describedby="sql-place" value=${sql} placeholder=${exampleOf(datasets)} onInput=${onInput} onKeyDown=${onKeyDown}></textarea>
        <p class="error" id="sql-place">${at === undefined ? '' : `Line ${lineOf(sql, at)}, column ${columnOf(sql, at)}: it is marked in the text.`}</p></div>
      <footer><button type="submit" class="primary" disabled=${busy || sql.trim() === ''}><${Icon} name="play" />${busy ? 'Running…' : 'Run'}</button>
        <span class="faint small">Datasets: ${datasets.map(({ dataset }) => dataset).join(', ')}. What comes recently: <code>realtime.…</code>, the warehouse: <code>history.…</code></span></footer>
    </form>
    ${problem !== undefined && html`<${ProblemBox} problem=${withoutPlace(problem)} />`}
    ${rows !== undefined && html`<${SqlAnswer} answer=${rows} />`}`
}

function SqlAnswer ({ answer: { rows, columns, cut } }: { readonly answer: SqlRows }): VNode {
  const [drawn, setDrawn] = useState(false)
  const keys = columns.some(({ name }) => name === 'symbol') ? ['symbol'] : []
  return html`<${Section} title="Answer" note=${`${plural(rows.length, 'row')}${cut ? ', and more that the page does not show' : ''}`} actions=${html`<${ViewChoice} drawn=${drawn} onChange=${setDrawn} />`}>
    ${drawn ? html`<${LinesView} title="Answer" rows=${rows} columns=${columns} keys=${keys} />` : html`<${RowsTable} label="Rows of the answer" columns=${columns} rows=${rows} />`}
  </${Section}>`
}

function exampleOf (datasets: readonly Dataset[]): string {
  const found = datasets.find(({ key }) => key.length > 0)
  return found === undefined ? 'SELECT 1' : `SELECT ${found.key[0] ?? ''}, count() FROM ${found.dataset} GROUP BY ${found.key[0] ?? ''}`
}

/** ClickHouse tells a position in the statement as it got it, in which names have been replaced: what it read there is looked for. */
const fault = / at position \d+ \((.*?)\)(?: \(line \d+, col \d+\))?(?::\s*([^]*?)\.? Expected|)/

/** Where the statement is wrong, from 0; undefined: nobody can say. */
function placeOf (detail: string, sql: string): number | undefined {
  const [, word, rest = ''] = fault.exec(detail) ?? []
  if (word === undefined) return undefined
  if (word === 'end of query') return sql.trimEnd().length
  const begin = rest.replace(/[….]+$/, '').trim().slice(0, PLACE_CHARS)
  const at = begin === '' ? -1 : sql.indexOf(begin)
  const found = at < 0 ? sql.lastIndexOf(word) : at
  return found < 0 ? undefined : found
}

function withoutPlace (problem: Problem): Problem {
  return { ...problem, detail: problem.detail.replace(/ at position \d+ \((.*?)\)(?: \(line \d+, col \d+\))?/, ' at $1') }
}

function lineOf (text: string, at: number): number {
  return text.slice(0, at).split('\n').length
}

function columnOf (text: string, at: number): number {
  return at - text.lastIndexOf('\n', at - 1)
}

/** Marks the word that begins there. */
function select (area: HTMLTextAreaElement | null, at: number | undefined): void {
  if (area === null || at === undefined) return
  const [word = ''] = /^\S+/.exec(area.value.slice(at)) ?? []
  area.focus()
  area.setSelectionRange(at, at + Math.max(1, word.length))
}
