// What the engine's process is started with.

import { availableParallelism, totalmem } from 'node:os'
import type { EmbeddedOptions } from './embedded.ts'
import type { StartOptions } from './server.ts'

const mebibyte = 1024 * 1024
export const loopback = '127.0.0.1'

/** The whole of it, with defaults that are fit for a machine shared with the platform. */
export function startOptions (options: EmbeddedOptions, folder: string, port: number, password: string | null): StartOptions {
  const writesMax = Math.max(2, availableParallelism())
  return {
    folder,
    host: options.host ?? loopback,
    port,
    ...(password === null ? {} : { credentials: { user: options.user ?? 'default', password } }),
    engineArgs: [...engineArgs(options), ...options.engineArgs ?? []],
    limits: {
      readsMax: options.readsMax ?? 6,
      writesMax,
      waitingMax: 64,
      waitMs: 10_000,
      abandonedMax: 4,
      bodyBytesMax: options.bodyBytesMax ?? 512 * mebibyte
    },
    spoolRoomBytes: 512 * mebibyte
  }
}

/** The engine on a small machine: bounded memory, small caches, and a server's ways instead of a command line's. */
function engineArgs ({ memoryBytesMax, readSecondsMax }: EmbeddedOptions): string[] {
  const machine = process.constrainedMemory() || totalmem()
  const bytesMax = memoryBytesMax ?? Math.floor(Math.min(machine, totalmem()) * 0.4)
  return [
    `--max_server_memory_usage=${bytesMax}`,
    `--max_memory_usage=${Math.floor(bytesMax * 0.8)}`,
    `--mark_cache_size=${Math.floor(bytesMax / 20)}`,
    `--index_mark_cache_size=${Math.floor(bytesMax / 40)}`,
    `--max_execution_time=${readSecondsMax ?? 60}`,
    '--async_insert=0',
    '--implicit_select=0'
  ]
}
