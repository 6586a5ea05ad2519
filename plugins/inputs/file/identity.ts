// Which file it is. An inode alone is not enough: file systems give the number of a removed file to the next one. So
// the first bytes belong to it; a file that only grows keeps them.

import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/** What a file is known by in a checkpoint. */
export interface Identity {
  readonly inode: string
  /** Checksum of the first `headBytes` bytes. */
  readonly head: string
  readonly headBytes: number
}

/** Bytes at its beginning that a file is known by; a shorter one is known by all it has. */
export const headBytesMax = 1024

/** 96 bits of SHA-256: short in a checkpoint, and enough to tell files apart. */
export function checksum (head: Buffer): string {
  return createHash('sha256').update(head).digest('base64url').slice(0, 16)
}

/** The first bytes of a file; fewer where it is shorter. */
export async function readHead (handle: FileHandle, bytes: number): Promise<Buffer> {
  const head = Buffer.alloc(Math.min(headBytesMax, bytes))
  let filled = 0
  while (filled < head.length) {
    const { bytesRead } = await handle.read(head, filled, head.length - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return head.subarray(0, filled)
}
