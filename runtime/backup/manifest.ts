// A backup is a manifest and the blobs that it names. Blobs are shared: what has not changed since the backup before is
// not copied again.
//
//   <place>/backups/20240102T030405Z-1a2b.json   written last: a backup is there as a whole, or not at all
//   <place>/blobs/ab/<sha256>                    named by their content as it is stored
//
// `sha256` of the manifest is over its body, so that a damaged one is never restored.

import { createHash } from 'node:crypto'
import { PlatformError } from '../errors.ts'
import type { LakeFile } from '../lake/manifest.ts'

export interface Blob {
  /** Its name below blobs/. */
  readonly blob: string
  /** As it is stored. */
  readonly bytes: number
}

export interface BackedTopic extends Blob {
  readonly topic: string
  readonly rows: number
  /** How often the topic began; 0: once. */
  readonly epoch: number
  /** Of each group: offsets below were stored when the copy was made. */
  readonly groups: ReadonlyArray<{ readonly group: string, readonly partition: number, readonly offset: number }>
}

export interface TablePart {
  /** The engine's id of the partition. */
  readonly partition: string
  readonly rows: number
  /** Over all columns of all rows, whatever their order. */
  readonly hash: string
  /** Of the files that it had in the database; empty: rows were left out that came after the topics were copied. */
  readonly files: string
  readonly blobs: ReadonlyArray<Blob & { readonly rows: number }>
}

export interface BackedTable {
  /** Which of the two databases has it; `streaming` where one server has both. */
  readonly server: 'streaming' | 'warehouse'
  readonly database: string
  readonly table: string
  readonly statement: string
  /** Schema that it is made from; null: by its statement. */
  readonly topic: string | null
  readonly columns: ReadonlyArray<{ readonly name: string, readonly type: string }>
  readonly parts: readonly TablePart[]
}

export interface BackedLake {
  /** As the pipelines name it. */
  readonly folder: string
  readonly topic: string
  /** The files stay in their store, which keeps them. */
  readonly byReference: boolean
  readonly files: ReadonlyArray<{ readonly file: LakeFile, readonly blob: Blob | null }>
}

export interface Backup {
  readonly format: 1
  readonly id: string
  /** When it was begun: rows that came later are not in it. ISO 8601, UTC. */
  readonly at: string
  readonly ms: number
  readonly version: string
  readonly broker: 'embedded' | 'kafka'
  /** control.db */
  readonly control: Blob
  /** Project files and kept revisions, as one bundle. */
  readonly files: Blob & { readonly names: readonly string[] }
  readonly topics: readonly BackedTopic[]
  readonly tables: readonly BackedTable[]
  readonly lakes: readonly BackedLake[]
  /** What is not in it, and why. */
  readonly leftOut: readonly string[]
}

export const idPattern = '^\\d{8}T\\d{6}Z-[0-9a-f]{4}$'

export function manifestName (id: string): string {
  return `backups/${id}.json`
}

/** All blobs of a backup, each once. */
export function blobsOf ({ control, files, topics, tables, lakes }: Backup): Map<string, Blob> {
  const all: Blob[] = [control, files, ...topics, ...tables.flatMap(({ parts }) => parts.flatMap(({ blobs }) => blobs)), ...lakes.flatMap(({ files }) => files.flatMap(({ blob }) => blob ?? []))]
  return new Map(all.map(({ blob, bytes }) => [blob, { blob, bytes }]))
}

export interface Totals {
  readonly rows: number
  /** Of all its blobs, also those that it shares with others. */
  readonly bytes: number
}

export function totalsOf (backup: Backup): Totals {
  return {
    rows: backup.tables.reduce((sum, { parts }) => sum + parts.reduce((sum, { rows }) => sum + rows, 0), 0),
    bytes: [...blobsOf(backup).values()].reduce((sum, { bytes }) => sum + bytes, 0)
  }
}

export function encodeManifest (backup: Backup): Uint8Array {
  const body = JSON.stringify(backup)
  return Buffer.from(`{"sha256":"${createHash('sha256').update(body).digest('hex')}","backup":${body}}\n`)
}

/** Throws BACKUP_DAMAGED. */
export function decodeManifest (bytes: Uint8Array, where: string): Backup {
  const text = Buffer.from(bytes).toString('utf8')
  const [, hash, body] = /^\{"sha256":"([0-9a-f]{64})","backup":(.*)\}\n$/s.exec(text) ?? []
  if (hash === undefined || body === undefined || createHash('sha256').update(body).digest('hex') !== hash) throw damaged(where, 'its manifest does not fit its hash')
  const backup = JSON.parse(body) as Backup
  if (backup.format !== 1) throw damaged(where, `it has the format ${String(backup.format)}, which this version does not know`)
  return backup
}

export function damaged (where: string, what: string): PlatformError {
  return new PlatformError('BACKUP_DAMAGED', `The backup cannot be used: ${what}`, { where, remedy: 'Use another one: npx twolane backup --list shows them.' })
}
