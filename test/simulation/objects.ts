// A stand-in for a bucket: names and bytes, as runtime/objects/objects.ts promises them, and what a network does to requests.

import { PlatformError } from '../../runtime/errors.ts'
import type { ObjectEntry, Objects } from '../../runtime/objects/objects.ts'
import type { FaultKind, Faults } from './faults.ts'

export interface StoredObject {
  readonly bytes: Uint8Array
  readonly modifiedAt: number
}

const writeFaults: readonly FaultKind[] = ['unanswered', 'late', 'repeated']
const error = (): Error => new PlatformError('DESTINATION_UNAVAILABLE', 'the store does not answer')

export class Bucket {
  readonly objects = new Map<string, StoredObject>()
  /** Files that are being written, by path. */
  readonly scratch = new Map<string, Uint8Array>()
  readonly #faults: Faults
  readonly #onChange: (name: string) => void
  #files = 0
  /** A broken store: the last one that puts wins. */
  readonly #overwrites: boolean

  constructor (faults: Faults, { onChange, overwrites = false }: { onChange (name: string): void, readonly overwrites?: boolean | undefined }) {
    this.#faults = faults
    this.#onChange = onChange
    this.#overwrites = overwrites
  }

  open (): Objects {
    const { objects, scratch } = this
    const call = <T> (name: string, may: readonly FaultKind[], effect: () => T): Promise<T> => this.#faults.call(`store: ${name}`, { may, error }, effect)
    const set = (name: string, bytes: Uint8Array): void => {
      objects.set(name, { bytes, modifiedAt: Date.now() })
      this.#onChange(name)
    }
    return {
      address: 'simulated',
      scratch: 'scratch',
      scratchFile: () => `scratch/${++this.#files}`,
      async put (name, file) {
        const bytes = scratch.get(file) ?? new Uint8Array()
        await call(`put ${name}`, writeFaults, () => set(name, bytes))
        scratch.delete(file)
      },
      putIfAbsent: (name, content) => call(`putIfAbsent ${name}`, writeFaults, () => {
        const there = objects.get(name)
        if (there === undefined || this.#overwrites) set(name, content)
        return there === undefined || this.#overwrites || Buffer.compare(there.bytes, content) === 0
      }),
      confirm: async () => {},
      read: (name, range) => call(`read ${name}`, [], () => {
        const bytes = objects.get(name)?.bytes
        return range === undefined ? bytes : bytes?.subarray(range.from, range.to)
      }),
      async * list (prefix) {
        yield * await call(`list ${prefix}`, [], () => [...objects].filter(([name]) => name.startsWith(prefix)).map(([name, { bytes, modifiedAt }]): ObjectEntry => ({ name, bytes: bytes.length, modifiedAt })).sort((a, b) => a.name < b.name ? -1 : 1))
      },
      delete: name => call(`delete ${name}`, writeFaults, () => {
        objects.delete(name)
        this.#onChange(name)
      }),
      discard: async file => { scratch.delete(file) },
      check: async () => {},
      close () {}
    }
  }
}
