// How far a live stream has come, as a text that resumes it.
//
//   quotes/0:1204,quotes/1:77              rows below these offsets were sent, or were not asked for
//   @1767364200123456789;quotes/0:12;quotes/0:1204,quotes/1:77
//                                          within a replay by time: behind that row of that time (ns since 1970), and where
//                                          the topic goes on when the replay is over

import { PlatformError } from '../errors.ts'

/** Next offset to read, by topic and partition as `quotes/0`. */
export type Offsets = ReadonlyMap<string, number>

/** The row of a replay that was sent last. */
export interface Mark {
  /** ns since 1970. */
  readonly time: bigint
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface LivePosition {
  /** Where the topics go on. */
  readonly offsets: Offsets
  /** Within a replay by time: its last row. */
  readonly mark: Mark | undefined
}

/** Partitions of all topics of a dataset; a text with more is none of ours. */
const PLACES_MAX = 4096
const place = /^([a-z0-9_][a-z0-9_.-]{0,127})\/(\d{1,5}):(\d{1,16})$/

export function placeOf (topic: string, partition: number): string {
  return `${topic}/${partition}`
}

export function offsetsText (offsets: Offsets): string {
  return Array.from(offsets, ([place, offset]) => `${place}:${offset}`).join(',')
}

export function positionText ({ offsets, mark }: LivePosition): string {
  return mark === undefined ? offsetsText(offsets) : `@${mark.time};${placeOf(mark.topic, mark.partition)}:${mark.offset};${offsetsText(offsets)}`
}

/** Throws REQUEST_INVALID where the text is no position. */
export function parsePosition (text: string): LivePosition {
  const [, time, at, rest] = /^@(-?\d{1,19});([^;,]+);(.*)$/.exec(text) ?? []
  if (time === undefined || at === undefined || rest === undefined) return { offsets: parseOffsets(text), mark: undefined }
  const [topic, partition, offset] = parsePlace(at)
  return { offsets: parseOffsets(rest), mark: { time: BigInt(time), topic, partition, offset } }
}

function parseOffsets (text: string): Offsets {
  const parts = text.split(',', PLACES_MAX + 1)
  if (parts.length > PLACES_MAX) throw noPosition()
  return new Map(parts.map(part => {
    const [topic, partition, offset] = parsePlace(part)
    return [placeOf(topic, partition), offset]
  }))
}

function parsePlace (text: string): [topic: string, partition: number, offset: number] {
  const [, topic, partition, offset] = place.exec(text) ?? []
  if (topic === undefined || partition === undefined || !Number.isSafeInteger(Number(offset))) throw noPosition()
  return [topic, Number(partition), Number(offset)]
}

function noPosition (): PlatformError {
  return new PlatformError('REQUEST_INVALID', 'The position to resume at is none that this stream has sent', { remedy: 'Send the id of its last event as it came, or leave it out to begin now.' })
}
