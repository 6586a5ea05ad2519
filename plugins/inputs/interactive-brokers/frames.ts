// Frames of the gateway's WebSocket. Each is one JSON object, sent as text or as bytes:
//
//   {"topic":"system","hb":1777415611502}                          heartbeat, every 10 s
//   {"topic":"sts","args":{"authenticated":true,…}}                session; may carry one key at a time
//   {"topic":"smd+265598","conid":265598,"_updated":…,"31":"…"}    market data: first all fields, then those that changed
//   {"topic":"tic",…}   act, ntf, blt, {"message":…}, {"error":…}  and whatever comes next
//
// Nothing here throws: a frame that cannot be read is counted and passed over.

import { parseJson } from '../../../runtime/json.ts'
import { objectOf } from './json-object.ts'

/** A frame by what is to be done about it; about a known one, nothing. */
export type Frame =
  | { readonly kind: 'data', readonly conid: number, readonly values: Readonly<Record<string, unknown>> }
  | { readonly kind: 'session', readonly args: Readonly<Record<string, unknown>> }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'tic' }
  | { readonly kind: 'known' }
  | { readonly kind: 'error', readonly topic: string, readonly text: string }
  | { readonly kind: 'rejected', readonly reason: 'huge' | 'garbage' | 'empty' | 'unknown' }

const frameBytesMax = 1024 * 1024
const quietTopics = new Set(['system', 'act', 'ntf', 'blt'])
const decoder = new TextDecoder()

/** Called for every frame, in the order in which they came. */
export function readFrame (data: string | ArrayBuffer): Frame {
  const bytes = typeof data === 'string' ? data.length : data.byteLength
  if (bytes > frameBytesMax) return { kind: 'rejected', reason: 'huge' }
  let frame: unknown
  try {
    frame = parseJson(typeof data === 'string' ? data : decoder.decode(data))
  } catch {
    return { kind: 'rejected', reason: 'garbage' }
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) return { kind: 'rejected', reason: 'garbage' }
  return classify(frame as Readonly<Record<string, unknown>>)
}

function classify (frame: Readonly<Record<string, unknown>>): Frame {
  const topic = typeof frame['topic'] === 'string' ? frame['topic'] : ''
  if (typeof frame['error'] === 'string') return { kind: 'error', topic, text: frame['error'] }
  if (topic.startsWith('smd+')) return dataFrame(topic, frame)
  if (topic === 'sts') return { kind: 'session', args: objectOf(frame['args']) }
  if (topic === 'tic') return { kind: 'tic' }
  if (quietTopics.has(topic)) return { kind: 'known' }
  if (frame['message'] === 'waiting for session') return { kind: 'waiting' }
  if (topic === '' && typeof frame['message'] === 'string') return { kind: 'known' }
  return { kind: 'rejected', reason: Object.keys(frame).length === 0 ? 'empty' : 'unknown' }
}

/** Some updates carry no conid, so the topic says it; those that carry no field either are empty. */
function dataFrame (topic: string, values: Readonly<Record<string, unknown>>): Frame {
  const conid = Number.parseInt(topic.slice('smd+'.length), 10)
  if (!Number.isSafeInteger(conid)) return { kind: 'rejected', reason: 'garbage' }
  for (const name in values) if (isField(name)) return { kind: 'data', conid, values }
  return { kind: 'rejected', reason: 'empty' }
}

/** Market data fields are numbers, some with a twin such as `87_raw`. 6119 is the marker of the request, and in every frame. */
export function isField (name: string): boolean {
  return name !== '6119' && /^\d{1,5}(_raw)?$/.test(name)
}
