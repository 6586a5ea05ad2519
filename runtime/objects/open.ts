// An address to the objects behind it. The client of S3 is loaded only where an address asks for it.

import { join, resolve } from 'node:path'
import { PlatformError } from '../errors.ts'
import { FolderObjects } from './folder.ts'
import type { Objects } from './objects.ts'

/** How to reach an S3-compatible store; null: as the environment says. */
export interface StoreOptions {
  readonly endpoint: string | null
  readonly region: string | null
  /** null: with an endpoint only. */
  readonly pathStyle: boolean | null
  readonly accessKey: string | null
  readonly secretKey: string | null
  /** Of one request. */
  readonly requestMs: number
}

export interface Place {
  /** A path, absolute or below the data folder, or `s3://bucket/prefix`. */
  readonly address: string
  readonly dataFolder: string
  /** What files in `scratch` begin with. */
  readonly owner: string
  readonly store: StoreOptions
}

/** Of an `s3://` address; the prefix is empty or ends with a slash. */
export interface Bucket {
  readonly bucket: string
  readonly prefix: string
}

export function inStore (address: string): boolean {
  return /^s3:/i.test(address)
}

/** Makes no request: `check` does. */
export async function openObjects ({ address, dataFolder, owner, store }: Place): Promise<Objects> {
  if (inStore(address)) {
    const bucket = parseBucket(address)
    checkStore(store)
    const { S3Objects } = await import('./s3.ts')
    return new S3Objects(bucket, store, { scratch: join(dataFolder, 'uploads'), owner })
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) throw invalid(`${address} is neither a folder nor s3://bucket/prefix`, 'Give a path, or s3:// with the name of the bucket and the address of the store as `endpoint`.')
  const { requestMs: _, ...given } = store
  const needless = Object.entries(given).filter(([, value]) => value !== null)
  if (needless.length > 0) throw invalid(`The folder ${address} is local, and takes no access to a store`, 'Give s3://bucket/prefix as the folder, or leave out the options of the store.')
  return new FolderObjects(resolve(dataFolder, address), owner)
}

export function parseBucket (address: string): Bucket {
  const [, bucket, path] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/+(.*))?$/.exec(address) ?? []
  if (bucket === undefined) throw invalid(`${address} does not name a bucket`, 'Write s3://bucket/prefix; the name of a bucket has 3 to 63 lower-case letters, digits, dots and hyphens.')
  const parts = (path ?? '').split('/').filter(part => part !== '')
  if (parts.some(part => part === '.' || part === '..')) throw invalid(`${address} has a part "." or ".." in its prefix`, 'Write the prefix without it.')
  return { bucket, prefix: parts.map(part => `${part}/`).join('') }
}

/** Throws CONFIG_INVALID for options that do not fit together. */
export function checkStore ({ endpoint, accessKey, secretKey }: StoreOptions): void {
  if (endpoint !== null && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) throw invalid(`The endpoint ${endpoint} is not an http or https address`, 'Write it as https://host:port.')
  if ((accessKey === null) !== (secretKey === null)) {
    throw invalid(`There is ${accessKey === null ? 'a secret key without an access key' : 'an access key without a secret key'}`, 'Give both, or none where the environment has them.')
  }
}

function invalid (message: string, remedy: string): PlatformError {
  return new PlatformError('CONFIG_INVALID', message, { remedy })
}
