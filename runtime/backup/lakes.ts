// Lakes: the files of one in a folder are copied, each once; those of one in a store stay there, which keeps them.

import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { groupOf } from '../run.ts'
import { PlatformError } from '../errors.ts'
import { lakesOf, openLake } from '../lake/lakes.ts'
import { openLakeTable } from '../lake/table.ts'
import { inStore } from '../objects/open.ts'
import { damaged } from './manifest.ts'
import { writeBlob } from './topics.ts'
import type { Lake } from '../lake/lakes.ts'
import type { LakeFile } from '../lake/manifest.ts'
import type { Pipeline } from '../pipeline.ts'
import type { BackedLake, BackedTopic, Blob } from './manifest.ts'
import type { BackupPlace } from './place.ts'

/** The files of a lake that a backup counts, before their bytes are copied. */
export interface ListedLake {
  readonly lake: Lake
  readonly root: string
  readonly files: readonly LakeFile[]
}

/**
 * What the manifests say, right after the topics were copied: files with rows that the topics will deliver again are left
 * out. undefined: a file holds rows of both sides, so topics and manifests have to be copied anew.
 */
export async function listLakes (pipelines: readonly Pipeline[], topics: readonly BackedTopic[], dataFolder: string): Promise<ListedLake[] | undefined> {
  const listed: ListedLake[] = []
  for (const lake of lakesOf(pipelines)) {
    const objects = await openLake(lake.config, { dataFolder, owner: 'backup.' })
    try {
      const { files } = await openLakeTable(objects, lake.topic).read()
      const copied = topics.find(({ topic }) => topic === lake.topic)
      const end = (partition: number): number => copied === undefined ? Infinity : copied.groups.find(one => one.group === groupOf(lake.pipeline, lake.step) && one.partition === partition)?.offset ?? 0
      if (files.some(({ partition, from, to }) => from < end(partition) && to > end(partition))) return undefined
      listed.push({ lake, root: objects.address, files: files.filter(({ partition, to }) => to <= end(partition)) })
    } finally {
      objects.close()
    }
  }
  return listed
}

export async function backUpLake ({ lake: { topic, config: { folder } }, root, files }: ListedLake, place: BackupPlace, signal: AbortSignal): Promise<BackedLake> {
  const byReference = inStore(folder)
  const kept: Array<{ file: LakeFile, blob: Blob | null }> = []
  for (const file of files) {
    signal.throwIfAborted()
    kept.push({ file, blob: byReference ? null : await storeFile(join(root, file.name), file, place) })
  }
  return { folder, topic, byReference, files: kept }
}

async function storeFile (path: string, { bytes, sha256 }: LakeFile, place: BackupPlace): Promise<Blob> {
  // Its hash is known from when it was written, so that a file which is there already is not even read.
  if (sha256 !== '' && await place.has({ blob: sha256, bytes })) return { blob: sha256, bytes }
  const blob = await place.store(createReadStream(path, { highWaterMark: 2 ** 20 }), false)
  if (sha256 !== '' && blob.blob !== sha256) throw new PlatformError('LAKE_DAMAGED', 'A file of the lake is not what was written', { where: path, remedy: 'Look at the disk; the other files are not touched.' })
  return blob
}

/** Brings the files of a lake back; of one in a store it checks that they are there. Resolves to the offsets behind the last row of each partition. */
export async function restoreLake (backed: BackedLake, pipelines: readonly Pipeline[], { place, dataFolder, signal }: { readonly place: BackupPlace, readonly dataFolder: string, readonly signal: AbortSignal }): Promise<Map<number, number>> {
  const lake = lakesOf(pipelines, backed.topic).find(({ config }) => config.folder === backed.folder)
  if (lake === undefined) throw new PlatformError('BACKUP_REFUSED', `No pipeline keeps the lake ${backed.folder} of ${backed.topic}`, { remedy: 'Bring back the project files of the backup: leave out --keep-files.' })
  const objects = await openLake(lake.config, { dataFolder, owner: 'restore.' })
  try {
    await objects.check()
    const table = openLakeTable(objects, backed.topic)
    const there = await table.read()
    if (there.seq > 0) {
      const missing = backed.files.find(({ file }) => !there.files.some(({ partition, from, to }) => partition === file.partition && from <= file.from && to >= file.to))
      if (missing !== undefined) throw damaged(objects.address, `its lake of ${backed.topic} lacks the rows of ${missing.file.name}`)
      return endsOf(there.files)
    }
    if (backed.byReference && backed.files.length > 0) throw damaged(objects.address, `its lake of ${backed.topic} is empty, and the backup only names its files`)
    for (const { file, blob } of backed.files) {
      signal.throwIfAborted()
      const aside = objects.scratchFile()
      if (blob === null) continue
      await writeBlob(place, blob, aside)
      await objects.put(file.name, aside)
    }
    if (backed.files.length > 0) await table.commit({ add: backed.files.map(({ file }) => file) })
    return endsOf(backed.files.map(({ file }) => file))
  } finally {
    objects.close()
  }
}

function endsOf (files: readonly LakeFile[]): Map<number, number> {
  const ends = new Map<number, number>()
  for (const { partition, to } of files) ends.set(partition, Math.max(to, ends.get(partition) ?? 0))
  return ends
}
