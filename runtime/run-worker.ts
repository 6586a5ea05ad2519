// The thread of a run of a job. It is a pipeline's thread (worker.ts) that yields to those of the streams: it is patient
// with the cores, also while it loads its modules, which is most of what a short run costs.

import { setPriority } from 'node:os'

const NICE = 10

// On Linux this is the priority of the thread, elsewhere that of the process.
if (process.platform === 'linux') {
  try {
    setPriority(NICE)
  } catch {
    // Where the system does not allow it, the run goes on like any other thread.
  }
}
await import('./worker.ts')
