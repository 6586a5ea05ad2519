// The small files of an installation as one blob: what git should hold anyway, and the kept revisions, which intents name.

import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, writeDurably } from '../durable.ts'
import { damaged } from './manifest.ts'
import type { BackupPlace } from './place.ts'
import type { Backup } from './manifest.ts'

const folders = ['config', 'pipelines', 'schemas', 'plugins']
const kinds = /\.(?:ya?ml|json|sql|ts|js|md|csv|txt)$/
const FILE_BYTES_MAX = 4 * 2 ** 20
const FILES_MAX = 20_000
const BUNDLE_BYTES_MAX = 256 * 2 ** 20

interface Bundle { readonly format: 1, readonly project: Readonly<Record<string, string>>, readonly revisions: Readonly<Record<string, string>> }

/** Names of what is too large or too much are in `leftOut`. */
export async function backUpFiles (root: string, dataFolder: string, place: BackupPlace): Promise<{ readonly files: Backup['files'], readonly leftOut: readonly string[] }> {
  const leftOut: string[] = []
  const project: Record<string, string> = Object.create(null)
  for (const folder of folders) await collect(join(root, folder), folder, project, leftOut)
  const revisions: Record<string, string> = Object.create(null)
  await collect(join(dataFolder, 'revisions'), '', revisions, leftOut)
  const bundle: Bundle = { format: 1, project, revisions }
  return { files: { ...await place.store(Readable.from([Buffer.from(JSON.stringify(bundle))]), true), names: Object.keys(project) }, leftOut }
}

async function collect (folder: string, prefix: string, into: Record<string, string>, leftOut: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue
    if (entry.isDirectory()) {
      await collect(join(folder, entry.name), name, into, leftOut)
    } else if (kinds.test(entry.name) && entry.isFile()) {
      const tooMuch = Object.keys(into).length >= FILES_MAX || (await stat(join(folder, entry.name))).size > FILE_BYTES_MAX
      if (tooMuch) leftOut.push(`${name}: too large for a file of the project`)
      else into[name] = (await readFile(join(folder, entry.name))).toString('base64')
    }
  }
}

/** Brings files back that are not there; one that is there with another content stays. Resolves to the names of those. */
export async function restoreFiles ({ files }: Backup, place: BackupPlace, { root, dataFolder }: { readonly root: string | undefined, readonly dataFolder: string }): Promise<string[]> {
  const text = await buffer(place.stream(files))
  if (text.length > BUNDLE_BYTES_MAX) throw damaged(place.address, 'its files are too large')
  const { project, revisions } = JSON.parse(text.toString('utf8')) as Bundle
  for (const [name, content] of Object.entries(revisions)) await put(join(dataFolder, 'revisions'), name, content)
  const kept: string[] = []
  if (root === undefined) return kept
  for (const [name, content] of Object.entries(project)) {
    const there = await readFile(join(root, ...name.split('/'))).catch(() => undefined)
    if (there === undefined) await put(root, name, content)
    else if (there.toString('base64') !== content) kept.push(name)
  }
  return kept
}

async function put (folder: string, name: string, content: string): Promise<void> {
  const parts = name.split('/')
  // The bundle is checked by its hash, but its maker may be somebody else.
  if (parts.some(part => part === '' || part === '.' || part === '..' || part.includes('\\') || part.includes('\0'))) throw damaged(name, 'it has a file that lies outside of the project')
  await makeFolder(join(folder, ...parts.slice(0, -1)))
  await writeDurably(join(folder, ...parts), Buffer.from(content, 'base64'))
}
