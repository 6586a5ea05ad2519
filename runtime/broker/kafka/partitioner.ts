// Which partition a key belongs to: murmur2, as Kafka's Java client and those that follow it compute it, so that rows of
// one key that others write meet ours.

const M = 0x5bd1e995

export function partitionOf (key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

export function murmur2 (bytes: Uint8Array): number {
  const words = bytes.length >> 2
  let hash = 0x9747b28c ^ bytes.length
  for (let word = 0; word < words; word++) {
    const i = word * 4
    let k = (bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(k, M)
  }
  const rest = words * 4
  if ((bytes.length & 3) === 3) hash ^= (bytes[rest + 2] as number) << 16
  if ((bytes.length & 3) >= 2) hash ^= (bytes[rest + 1] as number) << 8
  if ((bytes.length & 3) >= 1) hash = Math.imul(hash ^ (bytes[rest] as number), M)
  hash ^= hash >>> 13
  hash = Math.imul(hash, M)
  return hash ^ (hash >>> 15)
}
