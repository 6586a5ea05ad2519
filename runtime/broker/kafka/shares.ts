// Who of a group works on which partition. A member keeps what it has, up to its share. What it has beyond that is given
// to nobody until it has finished its work there and joins anew: then that partition is free.
//
// Said and answered in the format of Kafka's own consumers, so that their tools show it.

import { Answer, Body } from './requests.ts'

export interface Claim {
  readonly member: string
  /** Partitions that it works on. */
  readonly owned: readonly number[]
}

export const PROTOCOL = 'twolane-sticky'

/** Partitions by member. */
export function share (partitions: number, claims: readonly Claim[]): Map<string, number[]> {
  const owners = new Set<number>()
  // The one with the most comes first: where the shares differ by one, it keeps more.
  const members = [...claims]
    .sort((a, b) => b.owned.length - a.owned.length || (a.member < b.member ? -1 : 1))
    .map(({ member, owned }, i) => ({
      member,
      limit: Math.floor(partitions / claims.length) + (i < partitions % claims.length ? 1 : 0),
      owned: owned.filter(partition => partition < partitions && !owners.has(partition) && owners.add(partition))
    }))
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter(partition => !owners.has(partition))
  const shares = new Map<string, number[]>()
  for (const { member, limit, owned } of members) {
    const kept = owned.slice(0, limit)
    shares.set(member, [...kept, ...free.splice(0, limit - kept.length)])
  }
  return shares
}

export function encodeSubscription (topic: string, owned: readonly number[]): Buffer {
  const body = new Body()
  body.int16(1)
  body.int32(1)
  body.string(topic)
  body.int32(-1)
  partitionsOf(body, topic, owned)
  return body.bytes()
}

/** The partitions that a member says it has. */
export function decodeSubscription (bytes: Buffer): number[] {
  const answer = new Answer(bytes)
  const version = answer.int16()
  answer.list(() => answer.string())
  answer.rest(Math.max(0, answer.int32()))
  return version < 1 ? [] : listed(answer)
}

export function encodeAssignment (topic: string, partitions: readonly number[]): Buffer {
  const body = new Body()
  body.int16(1)
  partitionsOf(body, topic, partitions)
  body.int32(-1)
  return body.bytes()
}

export function decodeAssignment (bytes: Buffer): number[] {
  if (bytes.length === 0) return []
  const answer = new Answer(bytes)
  answer.int16()
  return listed(answer)
}

function partitionsOf (body: Body, topic: string, partitions: readonly number[]): void {
  body.int32(1)
  body.string(topic)
  body.int32(partitions.length)
  for (const partition of partitions) body.int32(partition)
}

function listed (answer: Answer): number[] {
  return answer.list(() => {
    answer.string()
    return answer.list(() => answer.int32())
  }).flat()
}
