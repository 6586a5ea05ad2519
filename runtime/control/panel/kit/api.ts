// Calls of the platform's API. Every failure is a problem (RFC 9457), also when nothing answered at all.

import { credentials, dropSession } from './session.ts'

/** What is wrong, as the platform says it. */
export interface Problem {
  /** HTTP status; 0: no answer came. */
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly remedy?: string
  readonly instance?: string
  readonly problems?: ReadonlyArray<{ readonly message: string, readonly file?: string, readonly line?: number, readonly path?: string }>
}

/** Thrown by all calls here. */
export class ApiProblem extends Error {
  readonly problem: Problem

  constructor (problem: Problem) {
    super(problem.detail)
    this.name = 'ApiProblem'
    this.problem = problem
  }
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export interface Call {
  /** Sent as JSON; a text is sent as it is, with `type`. */
  readonly body?: unknown
  readonly type?: string
  readonly query?: Query
  readonly signal?: AbortSignal
  readonly accept?: string
  /** Of a stream: the last event that came. */
  readonly lastId?: string
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Asks and reads the answer as JSON; an answer without a body is undefined. Rejects with an ApiProblem. */
export async function ask<T> (method: Method, path: string, call: Call = {}): Promise<T> {
  const response = await send(method, path, call)
  const text = await response.text().catch(() => { throw unreachable() })
  if (text === '') return undefined as T
  return (/json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text) as T
}

export const get = <T>(path: string, call?: Call): Promise<T> => ask('GET', path, call)
export const post = <T>(path: string, body?: unknown, call?: Call): Promise<T> => ask('POST', path, { ...call, body })
export const put = <T>(path: string, body?: unknown, call?: Call): Promise<T> => ask('PUT', path, { ...call, body })
export const patch = <T>(path: string, body?: unknown, call?: Call): Promise<T> => ask('PATCH', path, { ...call, body })
export const remove = <T>(path: string, call?: Call): Promise<T> => ask('DELETE', path, call)

/** The answer itself, for streams and downloads. Rejects with an ApiProblem unless it is a success. */
export async function send (method: Method, path: string, { body, type, query, signal, accept, lastId }: Call = {}): Promise<Response> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const headers = {
    ...credentials(method),
    ...(accept !== undefined && { accept }),
    ...(lastId !== undefined && { 'last-event-id': lastId }),
    ...(text !== undefined && { 'content-type': type ?? (typeof body === 'string' ? 'text/plain' : 'application/json') })
  }
  let response: Response
  try {
    response = await fetch(addressOf(path, query), { method, headers, cache: 'no-store', ...(text !== undefined && { body: text }), ...(signal !== undefined && { signal }) })
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw unreachable()
  }
  if (response.ok) return response
  const problem = await problemOfResponse(response)
  if (problem.status === 401) dropSession()
  throw new ApiProblem(problem)
}

/** `path?name=value`, without what is undefined. */
export function addressOf (path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '').map(([name, value]) => [name, String(value)])
  return given.length === 0 ? path : `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(given).toString()}`
}

/** The problem of anything that was thrown. */
export function problemOf (error: unknown): Problem {
  if (error instanceof ApiProblem) return error.problem
  return { status: 0, code: 'PAGE_FAILED', title: 'The page failed', detail: error instanceof Error ? error.message : String(error), remedy: 'Load the page again.' }
}

function unreachable (): ApiProblem {
  return new ApiProblem({ status: 0, code: 'UNREACHABLE', title: 'No answer', detail: 'The platform does not answer.', remedy: 'Look whether it runs, and whether this machine reaches it. The page tries again by itself.' })
}

async function problemOfResponse (response: Response): Promise<Problem> {
  const fallback: Problem = { status: response.status, code: 'FAILED', title: response.statusText, detail: `The platform answered ${response.status} ${response.statusText}` }
  try {
    return { ...fallback, ...await response.json() as Partial<Problem> }
  } catch {
    // An answer that is no problem came from something in between, such as a proxy.
    return fallback
  }
}
