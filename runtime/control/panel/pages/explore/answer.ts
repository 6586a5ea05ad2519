// Rows that came for a question, page by page.

import { callOf, typedOf } from './question.ts'
import { addressOf, problemOf, send } from '../../kit/api.ts'
import { useEffect, useRef, useState } from '../../kit/html.ts'
import type { Problem } from '../../kit/api.ts'
import type { Question } from './question.ts'
import type { RowsPage } from '../data/shapes.ts'

/** Rows that the page holds; more than that is for a file. */
export const ROWS_MAX = 20_000
const PAGE_ROWS = 1000
/** An address that is longer goes as a body. */
const ADDRESS_CHARS_MAX = 6000

export interface AnswerPage extends RowsPage {
  /** What was asked. */
  readonly question: Question
  /** Of the platform's own words about the answer. */
  readonly asOf: string | undefined
  readonly range: string | undefined
  readonly boundary: string | undefined
  readonly condition: string | undefined
  readonly warnings: readonly string[]
  readonly ms: number
}

export interface Answer {
  readonly page: AnswerPage | undefined
  readonly problem: Problem | undefined
  readonly busy: boolean
  run (question: Question): Promise<void>
  /** The next rows of the same answer. */
  more (): Promise<void>
}

export function useAnswer (): Answer {
  const [state, setState] = useState<Pick<Answer, 'page' | 'problem' | 'busy'>>({ page: undefined, problem: undefined, busy: false })
  const current = useRef(new AbortController())
  useEffect(() => () => current.current.abort(), [])
  const ask = async (question: Question, before?: AnswerPage): Promise<void> => {
    current.current.abort()
    const mine = new AbortController()
    current.current = mine
    setState({ page: before, problem: undefined, busy: true })
    try {
      const page = await fetchPage(question, before?.next_page_token ?? undefined, mine.signal)
      setState({ page: before === undefined ? page : { ...page, rows: [...before.rows, ...page.rows], range: before.range, warnings: before.warnings, ms: before.ms + page.ms }, problem: undefined, busy: false })
    } catch (error) {
      if (!mine.signal.aborted) setState({ page: before, problem: problemOf(error), busy: false })
    }
  }
  return { ...state, run: question => ask(question), more: async () => { if (state.page !== undefined) await ask(state.page.question, state.page) } }
}

async function fetchPage (question: Question, token: string | undefined, signal: AbortSignal): Promise<AnswerPage> {
  const { path, query } = callOf(question, 'json')
  const asked = { ...query, page_size: String(PAGE_ROWS), page_token: token }
  const began = performance.now()
  const response = addressOf(path, asked).length <= ADDRESS_CHARS_MAX
    ? await send('GET', path, { query: asked, signal })
    : await send('POST', path, { body: { ...typedOf(query), page_size: PAGE_ROWS, ...(token !== undefined && { page_token: token }) }, signal })
  const page = await response.json() as RowsPage
  const header = (name: string): string | undefined => response.headers.get(name) ?? undefined
  return {
    ...page,
    question,
    asOf: header('x-data-as-of'),
    range: header('x-data-range'),
    boundary: header('x-data-boundary'),
    condition: header('x-data-condition'),
    warnings: warningsOf(header('x-warning')),
    ms: performance.now() - began
  }
}

function warningsOf (text: string | undefined): readonly string[] {
  if (text === undefined) return []
  try {
    return (JSON.parse(text) as unknown[]).map(String)
  } catch {
    return [text]
  }
}
