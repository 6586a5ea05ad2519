import { estimateOf } from './question.ts'
import { html, useEffect, useState } from '../../kit/html.ts'
import { bytes, count, seconds } from '../../kit/number.ts'
import { useResource } from '../../kit/resource.ts'
import type { Question } from './question.ts'
import type { VNode } from '../../kit/html.ts'

const TYPING_MS = 400

export interface Estimated {
  readonly rows: number
  readonly bytes: number
  readonly seconds: number
  readonly sources: { readonly streaming: number, readonly warehouse: number }
  readonly will_page: boolean
  readonly allowed: boolean
  readonly reason: string
}

/** How much the answer would be, and from which lane, before it is asked for. */
export function Estimate ({ question }: { readonly question: Question }): VNode {
  const path = useSettled(estimateOf(question))
  const { data, problem, loading } = useResource<Estimated>(path)
  if (problem !== undefined) return html`<p class="estimate over-text" role="status">${problem.detail}${/[.!?]$/.test(problem.detail) ? '' : '.'} ${problem.remedy}</p>`
  if (data === undefined) return html`<p class="estimate faint" role="status">${loading ? 'Estimating…' : ''}</p>`
  const { rows, bytes: size, seconds: time, sources: { streaming, warehouse }, allowed, reason } = data
  return html`<p class="estimate" role="status">${allowed
    ? html`Reads at most <strong>${count(rows)}</strong> rows (${bytes(size)}), ${time < 0.1 ? 'in a moment' : `in about ${seconds(time)}`}. ${lanes(streaming, warehouse)}`
    : html`<span class="over-text">${reason}</span>`}</p>`
}

function lanes (streaming: number, warehouse: number): string {
  if (streaming === 0 && warehouse === 0) return ''
  if (warehouse === 0) return 'All from the streaming database.'
  if (streaming === 0) return 'All from the warehouse.'
  return `${count(warehouse)} from the warehouse, ${count(streaming)} from the streaming database.`
}

/** What a value has been for a moment: not each letter is a question. */
function useSettled (value: string): string {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), TYPING_MS)
    return () => clearTimeout(timer)
  }, [value])
  return settled
}
