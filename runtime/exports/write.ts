// One file of an export: bytes as the engine makes them, written aside, synced, and named when they are whole.

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { moveFile } from '../durable.ts'
import { PlatformError } from '../errors.ts'
import type { Rows } from '../data/answer.ts'
import type { ExportFile } from './records.ts'

/** Throws RESULT_TOO_LARGE beyond `bytesMax`. undefined: there are no rows, and no file. */
export async function writeFile (rows: Rows, { folder, name, bytesMax, signal }: { readonly folder: string, readonly name: string, readonly bytesMax: number, readonly signal: AbortSignal }): Promise<ExportFile | undefined> {
  if (typeof rows.body === 'string') throw new PlatformError('REQUEST_INVALID', 'An export is no page of JSON')
  const aside = join(folder, `${name}.part`)
  const hash = createHash('sha256')
  let bytes = 0
  const meter = new Transform({
    transform (piece: Buffer, _encoding, done) {
      bytes += piece.length
      hash.update(piece)
      done(bytes > bytesMax ? new PlatformError('RESULT_TOO_LARGE', `The export has more than ${bytesMax} bytes`, { remedy: 'Ask for a shorter range, or fewer symbols or fields.' }) : null, piece)
    }
  })
  try {
    await pipeline(rows.body, meter, createWriteStream(aside, { mode: 0o600 }), { signal })
    if (rows.rows() === 0) return undefined
    const file = await open(aside, 'r+')
    await file.sync().finally(() => file.close())
    await moveFile(aside, join(folder, name))
    return { name, bytes, sha256: hash.digest('hex'), rows: rows.rows() }
  } finally {
    await rm(aside, { force: true })
  }
}
