// A real S3-compatible server on loopback, in the hands of a test: the Versity gateway over a folder. It is built once
// with Go from its module, and kept in the user's cache.

import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { endTogether, freePort } from '../child.ts'
import { WAIT_MS_MAX } from '../waiting.ts'
import type { ChildProcess } from 'node:child_process'

const version = 'v1.8.0'
const binFolder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'twolane-test', `versitygw-${version}`)
const binary = join(binFolder, 'versitygw')
/** A build takes two minutes on two cores; it waits for one that another test has begun. */
const buildMs = 900_000

export const accessKey = 'test-access'
export const secretKey = 'test-secret-of-the-store'

/** For `t.test(…, { skip })`: false, or why there can be no server here. */
export const s3Missing: string | false = existsSync(binary) || spawnSync('go', ['version']).status === 0
  ? false
  : 'an S3-compatible server is built with Go, and there is no go here'

/** Builds the server unless it is there. */
export async function installS3 (): Promise<void> {
  mkdirSync(binFolder, { recursive: true })
  const lock = join(binFolder, 'building')
  const giveUpAt = Date.now() + buildMs
  while (!existsSync(binary)) {
    try {
      mkdirSync(lock)
    } catch {
      // Another process builds it. One that was killed has left the lock: then it is built twice.
      if (Date.now() > giveUpAt) rmSync(lock, { recursive: true, force: true })
      await sleep(500)
      continue
    }
    try {
      await promisify(execFile)('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${version}`], { env: { ...process.env, GOBIN: binFolder } })
    } finally {
      rmSync(lock, { recursive: true, force: true })
    }
  }
}

export class S3Server {
  readonly endpoint: string
  readonly #port: number
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor (folder: string, port: number) {
    this.#folder = folder
    this.#port = port
    this.endpoint = `http://127.0.0.1:${port}`
  }

  /** `folder`: of its data; each folder in `folder`/buckets is a bucket. */
  static async start (folder: string, ...buckets: readonly string[]): Promise<S3Server> {
    await installS3()
    for (const bucket of ['', ...buckets]) mkdirSync(join(folder, 'buckets', bucket), { recursive: true })
    const server = new S3Server(folder, await freePort())
    try {
      await server.restart()
      return server
    } catch {
      // Another process took the port in between.
      const second = new S3Server(folder, await freePort())
      await second.restart()
      return second
    }
  }

  /** Resolves when it answers. */
  async restart (): Promise<void> {
    const { endpoint } = this
    const child = spawn(binary, ['--quiet', '--keep-alive', '--port', `127.0.0.1:${this.#port}`, 'posix', join(this.#folder, 'buckets')], {
      env: { ...process.env, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey }, stdio: 'ignore'
    })
    this.#child = child
    endTogether(child)
    const giveUpAt = performance.now() + WAIT_MS_MAX
    // It refuses a request without a signature, and that is an answer.
    while (!await fetch(endpoint, { headers: { connection: 'close' } }).then(() => true, () => false)) {
      if (child.exitCode !== null || performance.now() > giveUpAt) throw new Error(`The S3 server does not start (exit code ${child.exitCode})`)
      await sleep(20)
    }
  }

  /** Where a bucket's objects are as files, for a test that looks behind the server's back. */
  bucketFolder (bucket: string): string {
    return join(this.#folder, 'buckets', bucket)
  }

  async kill (): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}
