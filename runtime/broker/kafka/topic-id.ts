// What Kafka calls a topic by itself: a topic that was deleted and made again has the same name and another id. Metadata,
// version 10, in the encoding of newer requests: lengths are varints and one too large, tags end each structure.

import { Answer, Body } from './requests.ts'
import { check } from './wire.ts'
import type { OwnRequest } from './wire.ts'

export const METADATA_API = 3
/** Kafka 2.8 and newer know it. */
export const IDS_VERSION = 10
const ID_BYTES = 16

/** Resolves to the id as hexadecimal text; throws where there is no such topic. */
export function topicIdRequest (topic: string): OwnRequest<string> {
  const name = Buffer.from(topic)
  const body = new Body()
  // The header of such a request has tags, too: none.
  body.int8(0)
  varint(body, 1 + 1)
  body.raw(Buffer.alloc(ID_BYTES))
  varint(body, name.length + 1)
  body.raw(name)
  body.int8(0)
  // Neither make it, nor say who may do what.
  for (let i = 0; i < 3; i++) body.int8(0)
  body.int8(0)
  return { apiKey: METADATA_API, version: IDS_VERSION, name: 'Metadata', body: body.bytes(), decode: decodeId }
}

function decodeId (bytes: Buffer): string {
  const answer = new Answer(bytes)
  tags(answer)
  answer.int32()
  for (let brokers = length(answer); brokers > 0; brokers--) {
    answer.int32()
    answer.rest(length(answer))
    answer.int32()
    answer.rest(length(answer))
    tags(answer)
  }
  answer.rest(length(answer))
  answer.int32()
  // One topic, as it was asked for.
  length(answer)
  check(answer.int16())
  answer.rest(length(answer))
  return answer.rest(ID_BYTES).toString('hex')
}

/** 0 also where there is nothing. */
function length (answer: Answer): number {
  return Math.max(0, readVarint(answer) - 1)
}

function tags (answer: Answer): void {
  for (let count = readVarint(answer); count > 0; count--) {
    readVarint(answer)
    answer.rest(readVarint(answer))
  }
}

function readVarint (answer: Answer): number {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = answer.int8()
    value |= (byte & 0x7f) << shift
    if (byte >= 0) return value
  }
}

function varint (body: Body, value: number): void {
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) body.int8((rest & 0x7f) | 0x80)
  body.int8(rest)
}
