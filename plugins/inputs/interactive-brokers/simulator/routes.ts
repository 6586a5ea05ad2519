import type { Gateway } from './gateway.ts'

/** One request, read and checked. */
export interface Call {
  readonly gateway: Gateway
  readonly query: ReadonlyMap<string, string>
  readonly body: Readonly<Record<string, unknown>>
  readonly path: string // below /v1/api, without the leading slash
  readonly endStreams: (conid: number) => void // on every socket
}

/** What a route answers: 200 unless it says otherwise. */
export interface Answer {
  readonly status?: number
  readonly body: unknown // a string is sent as it is: not every error of the real gateway is JSON
  readonly headers?: Readonly<Record<string, string>>
}

/** Called when the gateway has no reason to refuse the call. */
export type Route = (call: Call) => Answer | Promise<Answer>

/** By "METHOD path", below /v1/api; a path segment may be `*`. */
export type Routes = Readonly<Record<string, Route>>
