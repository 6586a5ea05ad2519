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
  const body = new Body()
  // The header of such a request has tags, too: none.
  body.int8(0)
  body.varint(1 + 1)
  body.raw(Buffer.alloc(ID_BYTES))
  body.compact(topic)
  body.int8(0)
  // Neither make it, nor say who may do what.
  for (let i = 0; i < 3; i++) body.int8(0)
  body.int8(0)
  return { apiKey: METADATA_API, version: IDS_VERSION, name: 'Metadata', body: body.bytes(), decode: decodeId }
}

function decodeId (bytes: Buffer): string {
  const answer = new Answer(bytes)
  answer.tags()
  answer.int32()
  for (let brokers = answer.length(); brokers > 0; brokers--) {
    answer.int32()
    answer.compact()
    answer.int32()
    answer.compact()
    answer.tags()
  }
  answer.compact()
  answer.int32()
  // One topic, as it was asked for.
  answer.length()
  check(answer.int16())
  answer.compact()
  return answer.rest(ID_BYTES).toString('hex')
}
