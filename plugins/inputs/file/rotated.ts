// The files that a followed one was renamed to: `quotes.ndjson.1`, `quotes.ndjson-20240102`. Its next file is the one
// that was written after it, which after several rotations is not yet the one under the path.

import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A file in the folder whose name begins with the path's. */
export interface Sibling {
  readonly path: string
  readonly inode: string
  readonly size: bigint
  /** When it was last written to, in ns since 1970. */
  readonly written: bigint
}

export async function siblingsOf (path: string): Promise<Sibling[]> {
  const siblings: Sibling[] = []
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(basename(path)) || name === basename(path)) continue
    const sibling = join(dirname(path), name)
    const found = await stat(sibling, { bigint: true }).catch(() => undefined) // Gone meanwhile: not a candidate.
    if (found?.isFile() === true) siblings.push({ path: sibling, inode: String(found.ino), size: found.size, written: found.mtimeNs })
  }
  return siblings
}

/** What is known of a file that was read to its end. */
export interface Finished {
  readonly inode: string
  readonly written: bigint
}

/** What follows a finished file before the one at the path: the next to read, and those that have to be passed over. */
export interface Following {
  readonly next: Sibling | undefined
  readonly missed: readonly Sibling[]
}

/** `current`: inode of the file at the path. */
export async function following (path: string, finished: Finished, current: string): Promise<Following> {
  const missed: Sibling[] = []
  const siblings = (await siblingsOf(path)).sort((a, b) => a.written < b.written ? -1 : a.written > b.written ? 1 : 0)
  for (const sibling of siblings) {
    const suffix = sibling.path.slice(path.length)
    const [, compressed] = rotation.exec(suffix) ?? []
    if (compressed === undefined || sibling.inode === finished.inode || sibling.inode === current || sibling.written < finished.written) continue
    if (compressed === '') {
      if (sibling.written > finished.written) return { next: sibling, missed }
      // Written in the same moment: before or after, nobody knows.
      missed.push(sibling)
    } else if (sibling.written > finished.written) {
      // That of the finished file itself has its time.
      missed.push(sibling)
    }
  }
  return { next: undefined, missed }
}

/** What rotation adds to a name, a number or a time, with the ending of a compressed file. Others are neighbours by chance. */
const rotation = /^[.\-_]\d[\dTZ.:_-]*?((?:\.(?:gz|bz2|xz|zst|lz4|zip))?)$/
