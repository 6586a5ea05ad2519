// CRC-32C (Castagnoli), which Kafka's record batches carry and node:zlib does not have. Eight bytes a step.

const tables = Array.from({ length: 8 }, () => new Uint32Array(256))

for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  const first = tables[0] as Uint32Array
  first[byte] = crc
}
for (let table = 1; table < 8; table++) {
  for (let byte = 0; byte < 256; byte++) {
    const before = (tables[table - 1] as Uint32Array)[byte] as number
    const next = tables[table] as Uint32Array
    next[byte] = (before >>> 8) ^ ((tables[0] as Uint32Array)[before & 0xff] as number)
  }
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array]

/** Of `bytes`, going on from the checksum of what stands before them. */
export function crc32c (bytes: Uint8Array, before = 0): number {
  let crc = ~before
  let i = 0
  for (const end = bytes.length - 7; i < end; i += 8) {
    crc ^= (bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24)
    crc = (t7[crc & 0xff] as number) ^ (t6[(crc >>> 8) & 0xff] as number) ^ (t5[(crc >>> 16) & 0xff] as number) ^ (t4[crc >>> 24] as number) ^
      (t3[bytes[i + 4] as number] as number) ^ (t2[bytes[i + 5] as number] as number) ^ (t1[bytes[i + 6] as number] as number) ^ (t0[bytes[i + 7] as number] as number)
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return ~crc >>> 0
}
