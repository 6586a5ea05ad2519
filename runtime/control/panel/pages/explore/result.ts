import { ROWS_MAX } from './answer.ts'
import { BarsView } from './bars-view.ts'
import { LinesView } from './lines-view.ts'
import { ViewChoice } from './view-choice.ts'
import { Section } from '../../parts/page.ts'
import { RowsTable } from '../../parts/rows-table.ts'
import { shortUtc } from '../../kit/clock.ts'
import { html, useMemo, useState } from '../../kit/html.ts'
import { plural, seconds } from '../../kit/number.ts'
import type { Answer, AnswerPage } from './answer.ts'
import type { Question } from './question.ts'
import type { VNode } from '../../kit/html.ts'

/** What came, as a table or drawn, and what is to be known about it. */
export function Result ({ answer, question, keys }: { readonly answer: Answer, readonly question: Question, readonly keys: readonly string[] }): VNode {
  const [drawn, setDrawn] = useState(question.kind === 'bars')
  const page = answer.page as AnswerPage
  const { rows, columns } = page
  const inOrder = useMemo(() => page.question.params['sort'] === 'desc' ? rows.toReversed() : rows, [rows])
  const outdated = JSON.stringify(page.question) !== JSON.stringify(question)
  const title = page.dataset
  return html`<${Section} title="Answer" note=${`${page.next_page_token === null ? '' : 'the first '}${plural(rows.length, 'row')}, in ${page.ms < 1000 ? `${Math.round(page.ms)} ms` : seconds(page.ms / 1000)}`} actions=${html`<${ViewChoice} drawn=${drawn} onChange=${setDrawn} />`}>
    ${outdated && html`<p class="notice-line" role="status">The question was changed since. Run it again to see the answer to it.</p>`}
    ${page.warnings.map(text => html`<p class="notice-line warn" role="status">${text}</p>`)}
    ${drawn
      ? page.question.kind === 'bars' ? html`<${BarsView} title=${title} rows=${inOrder} keys=${keys} />` : html`<${LinesView} title=${title} rows=${inOrder} columns=${columns} keys=${keys} />`
      : html`<${RowsTable} label=${`Rows of ${title}`} columns=${columns} rows=${rows} />`}
    <div class="answer-foot faint small"><span>${factsOf(page).join(' · ')}</span><span class="buttons end"><${More} answer=${answer} /></span></div>
  </${Section}>`
}

function More ({ answer: { page, busy, more } }: { readonly answer: Answer }): VNode {
  if (page === undefined || page.next_page_token === null) return html`<span>That is all.</span>`
  if (page.rows.length >= ROWS_MAX) return html`<span>The page shows ${plural(ROWS_MAX, 'row')} at most: take the rest along as a file.</span>`
  return html`<button type="button" class="small" disabled=${busy} onClick=${more}>${busy ? 'Loading…' : 'More rows'}</button>`
}

function factsOf ({ range, asOf, boundary, condition }: AnswerPage): string[] {
  const moment = (text: string): string => `${shortUtc(Date.parse(text))}`
  const [from, to] = range?.split('/').map(text => text === '..' ? '…' : moment(text)) ?? []
  return [
    ...from === undefined ? [] : [from === '…' && to === '…' ? 'all there is' : `from ${from} to ${to ?? ''} UTC`],
    ...boundary === undefined ? [] : [`in the warehouse before ${moment(boundary)}`],
    ...condition === undefined ? [] : [`condition ${condition}`],
    ...asOf === undefined ? [] : [`as of ${moment(asOf)}`]
  ]
}
