// The files of a project as one archive: a tar of the POSIX format, gzipped.
//
//   header    512 bytes a file: name, mode, size, time in octal digits, and a sum over the header itself
//   content   filled up to 512 bytes
//   end       1,024 zero bytes

import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

export interface ArchivedFile {
  /** At most 99 bytes, without a leading slash. */
  readonly path: string
  readonly text: string
}

const BLOCK = 512

/** `at`: ms since 1970, of all files. */
export async function archive (files: readonly ArchivedFile[], at: number): Promise<Buffer> {
  const blocks = files.flatMap(({ path, text }) => {
    const content = Buffer.from(text)
    return [header(path, content.length, at), content, Buffer.alloc((BLOCK - content.length % BLOCK) % BLOCK)]
  })
  return promisify(gzip)(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]))
}

function header (path: string, bytes: number, at: number): Buffer {
  if (Buffer.byteLength(path) > 99) throw new RangeError(`The name ${path} is too long for an archive`)
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`
  block.write(path, 0)
  block.write(octal(0o644, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(octal(bytes, 11), 124)
  block.write(octal(Math.floor(at / 1000), 11), 136)
  // The sum counts its own place as spaces.
  block.write('        ', 148)
  block.write('0', 156)
  block.write('ustar\x0000', 257)
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
