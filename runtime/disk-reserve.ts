// What stays free on the disk of the data folder. Below it inputs take nothing new, while outputs go on: the database then
// still has room to merge, and an operator room to act. Looked at before rows are appended, so there is nothing to resume:
// an input is tried again with back-off, and goes on from its checkpoint when there is room.

import { statfsSync } from 'node:fs'
import { PlatformError } from './errors.ts'
import type { Broker, Producer } from './broker/broker.ts'

/** On a small disk the reserve is that share of it at most. */
const SHARE_MAX = 0.1
const LOOK_MS = 500
const GIGABYTE = 2 ** 30

/** How much of a disk stays free. */
export function reserveOf (totalBytes: number, wantedBytes: number): number {
  return Math.min(wantedBytes, totalBytes * SHARE_MAX)
}

export interface Reserve {
  /** Its disk is meant. */
  readonly folder: string
  /** 0: none. */
  readonly bytes: number
  /** Producers of that name are those of the input. */
  readonly producer: string
}

/** The broker, whose input waits for room: opening its writer, and each append, throw DISK_FULL below the reserve. */
export function withReserve (broker: Broker, { folder, bytes, producer: name }: Reserve): Broker {
  if (bytes === 0) return broker
  let lookedAt = -Infinity
  const check = (): void => {
    const now = performance.now()
    if (now - lookedAt < LOOK_MS) return
    const { bavail, blocks, bsize } = statfsSync(folder)
    const reserve = reserveOf(blocks * bsize, bytes)
    if (bavail * bsize < reserve) throw new PlatformError('DISK_FULL', `The disk has ${gigabytes(bavail * bsize)} GB left, and ${gigabytes(reserve)} stay free (disk_reserve_gigabytes): the input waits`, { where: folder, remedy: 'Free some space; it goes on by itself.' })
    // Only room is remembered: who waits for it goes on at once.
    lookedAt = now
  }
  const guarded = (producer: Producer): Producer => ({
    get checkpoint () { return producer.checkpoint },
    async append (batches, options) {
      // A checkpoint alone is small, and saves that rows come again.
      if (batches.length > 0) check()
      await producer.append(batches, options)
    },
    close: () => producer.close()
  })
  return {
    async producer (topic, of) {
      if (of !== name) return broker.producer(topic, of)
      check()
      return guarded(await broker.producer(topic, of))
    },
    consumer: (...given) => broker.consumer(...given),
    reader: (...given) => broker.reader(...given),
    lease: (...given) => broker.lease(...given),
    inspect: topic => broker.inspect(topic),
    topics: () => broker.topics(),
    follow: (...given) => broker.follow(...given),
    tail: (...given) => broker.tail(...given),
    trim: (...given) => broker.trim(...given),
    close: () => broker.close()
  }
}

function gigabytes (bytes: number): string {
  return (bytes / GIGABYTE).toPrecision(2)
}
