import type { IncomingMessage } from 'node:http'
import type { Body } from './body.ts'
import { fault } from './errors.ts'
import type { QueryRequest } from './request.ts'
import { analyse } from './statement.ts'
import type { Statement } from './statement.ts'

/** A statement and its text; of an INSERT with data, the data that came with the text. The rest of them is still in the body. */
export interface Source {
  readonly request: QueryRequest
  readonly statement: Statement
  readonly text: Buffer
  readonly inlineData: Buffer
}

const headBytes = 256 * 1024
const textBytesMax = 16 * 1024 * 1024

/** Finds the statement: in the URL, in the body, begun in the URL and ended in the body, or in a form. */
export async function readSource (asked: QueryRequest, message: IncomingMessage, body: Body): Promise<Source> {
  const type = message.headers['content-type'] ?? ''
  if (type.startsWith('multipart/form-data')) return await readForm(asked, type, body)
  const start = Buffer.from(asked.query)
  if (start.length > 0) {
    const statement = analyse(start.toString('latin1'))
    if (statement.data !== undefined) return dataSource(asked, statement, start)
  } else {
    const { head, whole } = await body.head(headBytes)
    const statement = whole || startsInsert(head) ? analyse(head.toString('latin1')) : undefined
    if (statement?.data !== undefined) {
      body.giveBack(head.subarray(statement.end))
      return { request: asked, statement, text: head.subarray(0, statement.end), inlineData: Buffer.alloc(0) }
    }
    if (whole && statement !== undefined) return { request: asked, statement, text: head, inlineData: Buffer.alloc(0) }
    body.giveBack(head)
  }
  const { head: rest, whole } = await body.head(textBytesMax)
  if (!whole) throw fault('QUERY_IS_TOO_LARGE', `The query is larger than ${textBytesMax} bytes`)
  const text = start.length === 0 ? rest : rest.length === 0 ? start : Buffer.concat([start, Buffer.from('\n'), rest])
  const statement = analyse(text.toString('latin1'))
  return statement.data === undefined ? { request: asked, statement, text, inlineData: Buffer.alloc(0) } : dataSource(asked, statement, text)
}

function dataSource (request: QueryRequest, statement: Statement, text: Buffer): Source {
  return { request, statement, text: text.subarray(0, statement.end), inlineData: text.subarray(statement.end) }
}

function startsInsert (head: Buffer): boolean {
  return /\binsert\b/i.test(head.toString('latin1', 0, 4096))
}

/** A form carries the query and its parameters as fields, for they may be too long for a URL. */
async function readForm (asked: QueryRequest, type: string, body: Body): Promise<Source> {
  const { head, whole } = await body.head(textBytesMax)
  if (!whole) throw fault('QUERY_IS_TOO_LARGE', `The form is larger than ${textBytesMax} bytes`)
  let form: FormData
  try {
    form = await new Response(head, { headers: { 'content-type': type } }).formData()
  } catch (error) {
    throw fault('BAD_ARGUMENTS', `Cannot read the form: ${error instanceof Error ? error.message : String(error)}`)
  }
  const parameters = new Map(asked.parameters)
  let query = asked.query
  for (const [name, value] of form) {
    if (typeof value !== 'string') throw fault('NOT_IMPLEMENTED', 'External tables in a form are not supported: insert the rows into a temporary table of a session')
    if (name === 'query') query += value
    else if (/^param_[A-Za-z_]\w*$/.test(name)) parameters.set(name.slice(6), value)
  }
  const text = Buffer.from(query)
  const statement = analyse(text.toString('latin1'))
  const request = { ...asked, query, parameters }
  return statement.data === undefined ? { request, statement, text, inlineData: Buffer.alloc(0) } : dataSource(request, statement, text)
}
