// kcat: a client of Kafka that shares no code with the platform.

import { execFileSync, spawnSync } from 'node:child_process'

export interface KcatRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly payload: string
  readonly headers?: readonly string[]
}

/** For `skip` of a test: why it cannot run, or false. */
export function noKcat (): string | false {
  return spawnSync('kcat', ['-V'], { stdio: 'ignore' }).status === 0 ? false : 'needs kcat: apt-get install kcat'
}

/** All records of a topic. */
export function readWithKcat (brokers: string, topic: string): KcatRecord[] {
  const text = execFileSync('kcat', ['-C', '-b', brokers, '-t', topic, '-o', 'beginning', '-e', '-q', '-J'], { encoding: 'utf8', timeout: 60_000, maxBuffer: 2 ** 28 })
  return text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as KcatRecord)
}

/** `values` as they are, by key. */
export function writeWithKcat (brokers: string, topic: string, records: ReadonlyArray<readonly [key: string, value: string]>): void {
  execFileSync('kcat', ['-P', '-b', brokers, '-t', topic, '-K', '\t', '-H', 'from=kcat'], { input: records.map(([key, value]) => `${key}\t${value}\n`).join(''), timeout: 60_000 })
}
