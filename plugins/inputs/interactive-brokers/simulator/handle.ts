import type { FaultArguments, FaultName } from './faults.ts'
import type { Stats } from './gateway.ts'
import type { Listing } from './instruments.ts'
import type { SentFrame } from './ledger.ts'

/** A running simulator of the Client Portal gateway. */
export interface Simulator {
  readonly url: string // http[s]://127.0.0.1:port/v1/api; the WebSocket is /ws below it
  readonly port: number
  readonly instruments: readonly Listing[]
  readonly sent: readonly SentFrame[] // every smd data frame, in the order of sending
  readonly faults: readonly { readonly name: FaultName, readonly args: FaultArguments }[] // the switches that are on
  readonly stats: Readonly<Stats> & { readonly sockets: number, readonly lines: number, readonly streams: number, readonly ledgerTotal: number, readonly ledgerDropped: number }
  fault (name: string, args?: FaultArguments): void // throws when there is no such fault
  clearFault (name?: string): void // without a name, all
  clearSent (): void
  close (): Promise<void> // cuts every connection; idempotent
}
