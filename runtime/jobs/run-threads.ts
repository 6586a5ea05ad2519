// The threads of runs. Few start at once, so that the streams keep the cores.

import { Slots } from './slots.ts'
import type { PipelineWorker } from '../pipeline-worker.ts'

const STARTS_MAX = 2

export interface RunThread {
  readonly worker: PipelineWorker
  /** To be called when it is prepared, or has failed: another one may start then. */
  prepared (): void
}

export class RunThreads {
  readonly #starts = new Slots(STARTS_MAX)
  readonly #workers = new Set<PipelineWorker>()

  /** Those that are at work. */
  get workers (): PipelineWorker[] {
    return [...this.#workers]
  }

  /** Starts one when it is its turn. `onEnd` is called with it when it has ended. */
  async start (spawn: () => Promise<PipelineWorker>, onEnd: (worker: PipelineWorker) => void): Promise<RunThread> {
    const prepared = await this.#starts.take()
    try {
      const worker = await spawn()
      this.#workers.add(worker)
      void worker.ended.then(() => {
        this.#workers.delete(worker)
        onEnd(worker)
      })
      return { worker, prepared }
    } catch (error) {
      prepared()
      throw error
    }
  }

  /** Does something that starts a thread and ends it again, when it is its turn. */
  async tried<T> (work: () => Promise<T>): Promise<T> {
    const done = await this.#starts.take()
    return work().finally(done)
  }
}
