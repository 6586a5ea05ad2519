// Files that commands generate: written when they changed, or only compared.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Terminal } from './terminal.ts'

interface Mode {
  /** Write nothing; a file that is not current is a problem. */
  readonly check: boolean
  /** The command that makes them. */
  readonly command: string
}

/** Resolves to the exit code. */
export async function bringUpToDate (files: ReadonlyMap<string, string>, { check, command }: Mode, { root, print }: Terminal): Promise<number> {
  let stale = 0
  for (const [file, text] of files) {
    if (await textOf(join(root, file)) === text) continue
    stale++
    if (check) print(`${file} is not current: run npx twolane ${command}`)
    else {
      await mkdir(dirname(join(root, file)), { recursive: true })
      await writeFile(join(root, file), text)
      print(`${file} written`)
    }
  }
  if (stale === 0) print(`${files.size} files are current`)
  return check && stale > 0 ? 1 : 0
}

export async function textOf (path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
