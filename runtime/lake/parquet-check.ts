// Whether a Parquet file of unknown content can be decoded. The fast decoder is WebAssembly: bytes that it cannot
// decode end the process. So a file whose sha256 nobody knows goes through one in JavaScript first, which throws.

import { zstdDecompressSync } from 'node:zlib'
import { parquetMetadataAsync, parquetRead } from 'hyparquet'
import type { FileHandle } from 'node:fs/promises'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Decodes all of it, a row group at a time. Throws whatever is wrong. */
export async function checkParquet (handle: FileHandle, bytes: number, signal?: AbortSignal): Promise<void> {
  const file = {
    byteLength: bytes,
    async slice (from: number, to = bytes): Promise<ArrayBuffer> {
      const part = new Uint8Array(to - from)
      const { bytesRead } = await handle.read(part, 0, part.length, from)
      if (bytesRead < part.length) throw new Error('The file is shorter than it says')
      return part.buffer
    }
  }
  const metadata = await parquetMetadataAsync(file)
  let rowStart = 0
  for (const { num_rows: count } of metadata.row_groups) {
    signal?.throwIfAborted()
    const rowEnd = rowStart + Number(count)
    await parquetRead({
      file,
      metadata,
      rowStart,
      rowEnd,
      compressors: { ZSTD: input => zstdDecompressSync(input) },
      parsers: { stringFromBytes: (text: Uint8Array | undefined) => text === undefined ? undefined : utf8.decode(text) },
      onComplete: rows => { if (rows.length !== Number(count)) throw new Error('A row group has other rows than its footer says') }
    })
    rowStart = rowEnd
  }
}
