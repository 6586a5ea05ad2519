// Server-sent events. EventSource sends no headers, so the stream is read from an ordinary answer: with the token or the
// cookie, resumed at the last id, and resting while the tab is hidden.

import { problemOf, send } from './api.ts'
import { useEffect, useRef, useState } from './html.ts'
import { session } from './session.ts'
import type { Problem } from './api.ts'

export interface StreamEvent {
  readonly event: string
  readonly data: string
  readonly id: string
}

export interface FollowState {
  readonly state: 'connecting' | 'live' | 'resting' | 'failed' | 'ended'
  readonly problem: Problem | undefined
}

const RETRY_MS = 1000
const RETRY_MS_MAX = 30_000
/** An event that is longer is no event of ours. */
const EVENT_CHARS_MAX = 8 * 2 ** 20

/** Follows until the signal, or an event named `end`: `onEvent` for each event, `onState` when the connection changes. Never rejects. */
export async function follow (path: string, { signal, onEvent, onState }: { readonly signal: AbortSignal, readonly onEvent: (event: StreamEvent) => void, readonly onState: (state: FollowState) => void }): Promise<void> {
  let lastId = ''
  let failures = 0
  while (!signal.aborted) {
    if (document.hidden) {
      onState({ state: 'resting', problem: undefined })
      await visible(signal)
      continue
    }
    const connection = new AbortController()
    const stop = (): void => connection.abort()
    const rest = (): void => { if (document.hidden) stop() }
    signal.addEventListener('abort', stop)
    document.addEventListener('visibilitychange', rest)
    try {
      onState({ state: 'connecting', problem: undefined })
      const response = await send('GET', path, { signal: connection.signal, accept: 'text/event-stream', ...(lastId !== '' && { lastId }) })
      onState({ state: 'live', problem: undefined })
      for await (const event of events(response)) {
        failures = 0
        if (event.id !== '') lastId = event.id
        if (event.event === 'end') return onState({ state: 'ended', problem: undefined })
        onEvent(event)
      }
    } catch (error) {
      if (!connection.signal.aborted) {
        const problem = problemOf(error)
        onState({ state: 'failed', problem })
        // What is refused now is refused in a second, too.
        if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) return
      }
    } finally {
      signal.removeEventListener('abort', stop)
      document.removeEventListener('visibilitychange', rest)
    }
    failures++
    if (!document.hidden) await pause(Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2), signal)
  }
}

/** Follows while the component is shown; an undefined path rests. */
export function useFollow (path: string | undefined, onEvent: (event: StreamEvent) => void): FollowState {
  const [state, setState] = useState<FollowState>({ state: 'connecting', problem: undefined })
  const latest = useRef(onEvent)
  latest.current = onEvent
  const away = session.value === null
  useEffect(() => {
    if (path === undefined || away) return
    const left = new AbortController()
    void follow(path, { signal: left.signal, onEvent: event => latest.current(event), onState: setState })
    return () => left.abort()
  }, [path, away])
  return state
}

async function * events (response: Response): AsyncGenerator<StreamEvent> {
  if (response.body === null) return
  let rest = ''
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    rest += text
    const blocks = rest.split(/\r?\n\r?\n/)
    rest = blocks.pop() ?? ''
    if (rest.length > EVENT_CHARS_MAX) throw new Error('An event is too long')
    for (const block of blocks) {
      const event = parse(block)
      if (event !== undefined) yield event
    }
  }
}

/** undefined: a comment, which keeps the connection alive. */
function parse (block: string): StreamEvent | undefined {
  const found = { event: 'message', id: '', data: [] as string[] }
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') found.data.push(value)
    else if (name === 'event') found.event = value
    else if (name === 'id') found.id = value
  }
  return found.data.length === 0 ? undefined : { event: found.event, id: found.id, data: found.data.join('\n') }
}

function visible (signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      if (document.hidden && !signal.aborted) return
      document.removeEventListener('visibilitychange', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    document.addEventListener('visibilitychange', done)
    signal.addEventListener('abort', done)
  })
}

function pause (ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
