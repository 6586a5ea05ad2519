import type { Instrument } from './instruments.ts'
import type { Quote } from './replay.ts'

/** What decides about a field besides the market itself. */
export interface FieldContext {
  readonly instrument: Instrument
  readonly quote: Quote
  readonly rights: Rights
  readonly phase: Phase
  readonly server: string // q0, q1, …: the request marker of field 6119
  readonly via: 'stream' | 'snapshot'
}

/** What the login may see of an instrument. */
export type Rights = 'realtime' | 'delayed' | 'frozen' | 'not-subscribed' | 'no-agreement'

/** What the market of an instrument does. */
export type Phase = 'open' | 'closed' | 'halted'

/** As the real API sends it: text, with few exceptions. */
export type FieldValue = string | number

const availability: Record<Rights, string> = { realtime: 'RpB', delayed: 'DPB', frozen: 'ZB', 'not-subscribed': 'N', 'no-agreement': 'O' }
const prefix: Record<Phase, string> = { open: '', closed: 'C', halted: 'H' }

/** Without rights a subscription is accepted, but carries no price. */
export function pricesAllowed (rights: Rights): boolean {
  return rights !== 'not-subscribed' && rights !== 'no-agreement'
}

type Reader = (context: FieldContext) => FieldValue | undefined

/** Fields that need no market data rights. */
const descriptive: Record<string, Reader> = {
  55: ({ instrument }) => instrument.symbol,
  58: ({ instrument }) => instrument.name,
  7051: ({ instrument }) => instrument.name,
  6004: () => 'SMART',
  6008: ({ instrument }) => instrument.conid,
  6070: () => 'STK',
  6119: ({ server }) => server,
  6508: () => '&serviceID1=122&serviceID2=123',
  6509: ({ rights }) => availability[rights],
  7094: ({ instrument }) => `${instrument.conid}@SMART`,
  7184: () => '1',
  7219: ({ instrument }) => instrument.symbol,
  7220: ({ instrument }) => `${instrument.symbol} ${instrument.exchange}`,
  7221: ({ instrument }) => instrument.exchange,
  7768: () => '1'
}

const market: Record<string, Reader> = {
  31: ({ quote, phase }) => prefix[phase] + price(phase === 'closed' ? quote.priorClose : quote.last),
  70: ({ quote }) => price(quote.high),
  71: ({ quote }) => price(quote.low),
  82: ({ quote }) => signed(quote.last - quote.priorClose),
  // A number on the socket, text in a snapshot: the real API is seen to do both.
  83: ({ quote, via }) => {
    const percent = round((quote.last / quote.priorClose - 1) * 100)
    return via === 'stream' ? percent : `${percent.toFixed(2)}%`
  },
  84: ({ quote, phase }) => phase === 'halted' ? undefined : price(quote.bid),
  85: ({ quote, phase }) => phase === 'halted' ? undefined : thousands(quote.askSize),
  86: ({ quote, phase }) => phase === 'halted' ? undefined : price(quote.ask),
  87: ({ quote }) => abbreviate(quote.volume),
  '87_raw': ({ quote }) => quote.volume,
  88: ({ quote, phase }) => phase === 'halted' ? undefined : thousands(quote.bidSize),
  7057: () => 'KQZ',
  7058: () => 'Q',
  7059: ({ quote }) => thousands(quote.lastSize),
  7068: () => 'KQ',
  7282: ({ quote }) => abbreviate(quote.volume),
  '7282_raw': ({ quote }) => quote.volume,
  7295: ({ quote }) => price(quote.open),
  7296: ({ quote }) => price(quote.last),
  7635: ({ quote }) => price((quote.bid + quote.ask) / 2),
  7682: ({ quote }) => signed(quote.last - quote.open),
  7741: ({ quote }) => price(quote.priorClose),
  7762: ({ quote }) => String(quote.volume)
}
const twins: Record<string, string> = { 87: '87_raw', 7282: '7282_raw' }

/** The wanted fields in the formats of the real API; a field that is unknown or has no value is left out, as there. */
export function readFields (wanted: Iterable<string>, context: FieldContext): Record<string, FieldValue> {
  const values: Record<string, FieldValue> = {}
  const allowed = pricesAllowed(context.rights)
  for (const id of [...wanted].flatMap(id => twins[id] === undefined ? [id] : [id, twins[id]])) {
    const reader = descriptive[id] ?? (allowed ? market[id] : undefined)
    const value = reader?.(context)
    if (value !== undefined) values[id] = value
  }
  return values
}

function price (value: number): string {
  const text = value.toFixed(2)
  return value < 1000 ? text : text.replace(/\B(?=(\d{3})+\.)/, ',')
}

function thousands (value: number): string {
  return value.toLocaleString('en-US')
}

function signed (value: number): string {
  return `${value >= 0 ? '+' : ''}${round(value).toFixed(2)}`
}

function round (value: number): number {
  return Math.round(value * 100) / 100 || 0 // never -0
}

function abbreviate (value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)}B`
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`
  return value >= 1e3 ? `${(value / 1e3).toFixed(1)}K` : String(value)
}
