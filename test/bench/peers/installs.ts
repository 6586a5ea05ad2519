// Where the other programs come from: Bento is built with Go from its module, Kafka Connect and Kafka's console tools are
// fetched by Maven. Both are kept in the user's cache.

import { execFile, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'twolane-test')
const bentoModule = 'github.com/warpstreamlabs/bento@v1.10.0'
const bento = join(cache, 'bento-v1.10.0')
const kafkaTools = join(cache, 'kafka-tools-4.1.0')
const FETCH_MS_MAX = 600_000

export interface Installed {
  /** What to run. */
  readonly path?: string
  /** Why there is nothing. */
  readonly missing?: string
}

/** The program; built at the first time, in about a minute. */
export async function installBento (): Promise<Installed> {
  const binary = join(bento, 'bento')
  if (existsSync(binary)) return { path: binary }
  if (!runs('go', 'version')) return { missing: 'Bento is built with Go, and there is no go here' }
  return aside('Bento', bento, binary, async folder => {
    const go = async (...args: readonly string[]): Promise<unknown> => promisify(execFile)('go', args, { cwd: folder, timeout: FETCH_MS_MAX })
    copyFileSync(join(import.meta.dirname, 'bento', 'main.go'), join(folder, 'main.go'))
    await go('mod', 'init', 'bento-peer')
    await go('get', bentoModule)
    await go('build', '-mod=mod', '-o', 'bento', '.')
  })
}

/** The class path. */
export async function installKafkaTools (): Promise<Installed> {
  const path = join(kafkaTools, '*')
  if (!runs('java', '-version')) return { missing: 'Kafka Connect and the console tools need java (17 or newer)' }
  if (existsSync(kafkaTools)) return { path }
  if (!runs('mvn', '-version')) return { missing: 'Kafka Connect and the console tools are fetched by mvn, and there is none here' }
  return aside('Kafka Connect', kafkaTools, path, async folder => {
    const args = ['-q', '-B', '-f', join(import.meta.dirname, 'pom.xml'), 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`]
    await promisify(execFile)('mvn', args, { timeout: FETCH_MS_MAX })
  })
}

/** What is not complete is never taken for it. */
async function aside (name: string, folder: string, path: string, make: (folder: string) => Promise<void>): Promise<Installed> {
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(`${folder}-`)
  try {
    await make(made)
    renameSync(made, folder)
    return { path }
  } catch (error) {
    const { message, stderr = '' } = error as Error & { stderr?: string }
    return { missing: `${name} could not be had: ${`${message} ${stderr}`.replaceAll('\n', ' ').slice(0, 300)}` }
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

function runs (command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
