// Logs and metrics of a platform: what is measured, and the recorder that keeps it.

import { Measured } from './measured.ts'
import { Recorder } from './recorder.ts'
import { StoreReader } from './store-reader.ts'
import type { EmbeddedClickHouse } from '../clickhouse/embedded.ts'
import type { Fleet } from '../fleet.ts'
import type { Platform } from '../platform.ts'
import type { RecorderState } from './recorder.ts'

export interface Observe {
  readonly measured: Measured
  /** Reads what is kept. */
  readonly reader: StoreReader
  /** How the recorder is: also where it only waits for its database, which is no failure of its own. */
  readonly state: RecorderState
  /** The recorder, where it needs somebody's hand. */
  failing (): Array<{ readonly name: string, readonly reasons: readonly string[] }>
  open (): void
  close (): Promise<void>
}

interface Around {
  readonly fleet: Pick<Fleet, 'isControl'>
  /** undefined: it is a server's. */
  readonly engine: Pick<EmbeddedClickHouse, 'state' | 'ends'> | undefined
}

export function openObserve (platform: Pick<Platform, 'broker' | 'supervisor' | 'clickhouse' | 'config' | 'log' | 'rowsDropped'>, { fleet, engine }: Around): Observe {
  const { broker, supervisor, clickhouse, config, log } = platform
  const recorder = new Recorder({ broker, clickhouse, bytesMax: config.observeGigabytes * 2 ** 30, isControl: () => fleet.isControl, log })
  const reader = new StoreReader(clickhouse)
  const measured = new Measured({
    supervisor, broker, fleet, get rowsDropped () { return platform.rowsDropped }, get recorded () { return recorder.state }, engine
  })
  return {
    measured,
    reader,
    get state () { return recorder.state },
    failing: () => recorder.state.needsHand ? [{ name: 'observe', reasons: [`Logs and metrics are not stored: ${recorder.state.reason}`] }] : [],
    open: () => recorder.open(),
    async close () {
      await recorder.close()
      await reader.close()
    }
  }
}
