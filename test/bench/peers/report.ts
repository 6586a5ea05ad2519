// The table that the benchmark prints.

export type Result = { readonly workload: string, readonly name: string } & (Measured | { readonly failed: string })

interface Measured {
  readonly failed?: undefined
  /** The middle round's. */
  readonly seconds: number
  readonly rows: number
  /** Processor seconds a million rows: the middle, the least and the most. */
  readonly cpu: number
  readonly cpuLeast: number
  readonly cpuMost: number
  readonly peakMiB: number
}

/** The platform is the first of each workload, and the others are told in how much more, or less, of the processor they take. */
export function printTable (results: readonly Result[]): void {
  let workload = ''
  let own: number | undefined
  for (const result of results) {
    if (result.workload !== workload) {
      workload = result.workload
      own = result.failed === undefined ? result.cpu : undefined
      console.log(`\n${workload.padEnd(44)}${'wall s'.padStart(8)}${'k rows/s'.padStart(10)}   ${'CPU-s a million (least-most)'.padEnd(30)}${'peak MiB'.padStart(9)}${'CPU, Twolane = 1'.padStart(18)}`)
    }
    console.log(lineOf(result, own))
  }
}

function lineOf (result: Result, own: number | undefined): string {
  if (result.failed !== undefined) return `  ${result.name.padEnd(42)}FAILED: ${result.failed}`
  const { name, seconds, rows, cpu, cpuLeast, cpuMost, peakMiB } = result
  const spread = `${cpu.toFixed(2).padStart(7)} (${cpuLeast.toFixed(2)}-${cpuMost.toFixed(2)})`
  const ratio = own === undefined ? '' : (cpu / own).toFixed(2)
  return `  ${name.padEnd(42)}${seconds.toFixed(1).padStart(8)}${(rows / seconds / 1000).toFixed(0).padStart(10)}   ${spread.padEnd(30)}${peakMiB.toFixed(0).padStart(9)}${ratio.padStart(18)}`
}
