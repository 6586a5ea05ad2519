// The same call in other languages. A token is never part of it: each one reads TWOLANE_TOKEN.

import { addressOf } from '../../kit/api.ts'
import { callOf, typedOf } from './question.ts'
import type { Question } from './question.ts'

export interface Snippet {
  readonly id: string
  readonly label: string
  readonly language: 'shell' | 'python' | 'text'
  readonly text: (question: Question, origin?: string) => string
}

export const snippets: readonly Snippet[] = [
  { id: 'curl', label: 'curl', language: 'shell', text: curl },
  { id: 'python', label: 'Python, with twolane.py', language: 'python', text: client },
  { id: 'pandas', label: 'pandas', language: 'python', text: pandas },
  { id: 'polars', label: 'polars', language: 'python', text: polars },
  { id: 'javascript', label: 'JavaScript', language: 'text', text: javascript },
  { id: 'excel', label: 'Excel (Power Query)', language: 'text', text: powerQuery }
]

function curl (question: Question, origin = location.origin): string {
  const { path, query } = callOf(question, 'csv')
  return `curl -fsS -H "Authorization: Bearer $TWOLANE_TOKEN" \\\n  ${shell(addressOf(`${origin}${path}`, query))}`
}

function client ({ kind, dataset, params }: Question, origin = location.origin): string {
  const { symbols, right, ...rest } = params
  const names = { data: 'get', bars: 'bars', latest: 'latest', join: 'asof' } as const
  const given = [python(dataset), ...kind === 'join' ? [python(right ?? '')] : [], ...symbols === undefined ? [] : [pythonList(symbols)]]
  const named = Object.entries(typedOf(rest)).map(([name, value]) => `${name}=${['fields', 'take'].includes(name) ? pythonList(String(value)) : python(value)}`)
  return `# curl -O ${origin}/twolane.py; export TWOLANE_URL=${origin} TWOLANE_TOKEN=…\nimport twolane\n\ndf = twolane.${names[kind]}(${[...given, ...named].join(', ')})`
}

function pandas (question: Question, origin = location.origin): string {
  const { path, query } = callOf(question, 'csv')
  return `import os\nimport pandas as pd\n\ndf = pd.read_csv(\n    ${python(addressOf(`${origin}${path}`, query))},\n    storage_options={"Authorization": f"Bearer {os.environ['TWOLANE_TOKEN']}"},\n)`
}

function polars (question: Question, origin = location.origin): string {
  const { path, query } = callOf(question, 'parquet')
  return `import io\nimport os\nimport urllib.request\nimport polars as pl\n\nrequest = urllib.request.Request(\n    ${python(addressOf(`${origin}${path}`, query))},\n    headers={"Authorization": f"Bearer {os.environ['TWOLANE_TOKEN']}"},\n)\nwith urllib.request.urlopen(request) as answer:\n    df = pl.read_parquet(io.BytesIO(answer.read()))`
}

function javascript (question: Question, origin = location.origin): string {
  const { path, query } = callOf(question, 'json')
  return `const rows = []\nlet token = ''\ndo {\n  const url = new URL(${JSON.stringify(addressOf(`${origin}${path}`, query))})\n  if (token !== '') url.searchParams.set('page_token', token)\n  const response = await fetch(url, { headers: { authorization: \`Bearer \${process.env.TWOLANE_TOKEN}\` } })\n  if (!response.ok) throw new Error(await response.text())\n  const page = await response.json()\n  rows.push(...page.rows)\n  token = page.next_page_token ?? ''\n} while (token !== '')`
}

function powerQuery (question: Question, origin = location.origin): string {
  const { path, query } = callOf(question, 'csv')
  const given = Object.entries(query).map(([name, value]) => `${name} = ${m(value ?? '')}`).join(', ')
  return `let\n  Token = "put a token of your own here",\n  Answer = Web.Contents(${m(origin)}, [RelativePath = ${m(path.slice(1))}, Query = [${given}], Headers = [Authorization = "Bearer " & Token]]),\n  Lines = Csv.Document(Answer, [Delimiter = ",", Encoding = 65001, QuoteStyle = QuoteStyle.Csv]),\n  Rows = Table.PromoteHeaders(Lines, [PromoteAllScalars = true])\nin\n  Rows`
}

/** Between single quotes nothing means anything to a shell. */
function shell (text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A literal of Python. */
function python (value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'object' && value !== null) return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${python(one)}`).join(', ')}}`
  return value === null || value === undefined ? 'None' : JSON.stringify(value)
}

function pythonList (text: string): string {
  const parts = text.split(',')
  return parts.length === 1 ? python(text) : python(parts)
}

/** A text of Power Query. */
function m (text: string): string {
  return `"${text.replaceAll('"', '""').replaceAll('#(', '#(#)(')}"`
}
