// Apache Kafka for the tests: fetched once by Maven, kept below node_modules.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const pom = join(import.meta.dirname, 'pom.xml')
const version = />([\d.]+)<\/version>\s*<\/dependency>/.exec(readFileSync(pom, 'utf8'))?.[1] ?? ''
const folder = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', `kafka-${version}`)
const FETCH_MS_MAX = 180_000

/** What to do so that Apache Kafka can be started here, or false. */
export function whyNoKafka (): string | false {
  if (!runs('java', '-version')) return 'install java (17 or newer) and mvn'
  if (!existsSync(folder) && !runs('mvn', '-version')) return 'install mvn beside java'
  return false
}

/** The class path of Apache Kafka. */
export async function kafkaClassPath (): Promise<string> {
  if (!existsSync(folder)) await fetchKafka()
  return join(folder, '*')
}

/** Several test files may fetch at a time: each does so aside, and the first one to rename wins. */
async function fetchKafka (): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true })
  const aside = mkdtempSync(`${folder}-`)
  try {
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${aside}`]
    await promisify(execFile)('mvn', args, { timeout: FETCH_MS_MAX }).catch((error: Error & { stdout?: string }) => {
      throw new Error(`Maven could not fetch Apache Kafka ${version}: ${error.stdout ?? ''} ${error.message}`)
    })
    renameSync(aside, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

function runs (command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
