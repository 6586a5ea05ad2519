// What the benchmarks share: a clock that also counts processor time and memory, of this process and of others.

import { readFileSync } from 'node:fs'

export interface Usage {
  readonly seconds: number
  /** Of this process, all threads. */
  readonly ownCpuSeconds: number
  readonly otherCpuSeconds: number
}

const TICKS_A_SECOND = 100

/** Processor time that a process has used so far, seconds (Linux). */
export function cpuSecondsOf (pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

/** Resident memory of a process, MiB (Linux). */
export function residentMiB (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024
}

/** Begins to measure; the function returned says what was used since. */
export function stopwatch (pids: readonly number[] = []): () => Usage {
  const others = pids.map(cpuSecondsOf)
  const cpu = process.cpuUsage()
  const began = performance.now()
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return {
      seconds: (performance.now() - began) / 1000,
      ownCpuSeconds: (user + system) / 1e6,
      otherCpuSeconds: pids.reduce((sum, pid, i) => sum + cpuSecondsOf(pid) - (others[i] as number), 0)
    }
  }
}

/** One line: rows a second, processor seconds a million rows. */
export function line (name: string, rows: number, { seconds, ownCpuSeconds, otherCpuSeconds }: Usage): string {
  const perMillion = (cpu: number): string => (cpu / rows * 1e6).toFixed(2)
  const parts = otherCpuSeconds === 0 ? '' : ` (platform ${perMillion(ownCpuSeconds)}, engine ${perMillion(otherCpuSeconds)})`
  return `${name.padEnd(58)} ${(rows / seconds / 1000).toFixed(0).padStart(5)} k rows/s   ${perMillion(ownCpuSeconds + otherCpuSeconds)} CPU-s a million${parts}`
}

export function median (values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number
}
