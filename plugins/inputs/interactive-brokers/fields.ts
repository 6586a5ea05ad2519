// The market data fields of the gateway: their number there, and the name that the topic schemas use.

interface SourceField {
  readonly id: string
  readonly name: string
  /** Asked for unless the configuration names its own fields. */
  readonly standard?: true
}

const fields: readonly SourceField[] = [
  { id: '31', name: 'last', standard: true },
  { id: '84', name: 'bid', standard: true },
  { id: '86', name: 'ask', standard: true },
  { id: '88', name: 'bid_size', standard: true },
  { id: '85', name: 'ask_size', standard: true },
  { id: '7059', name: 'last_size', standard: true },
  { id: '7068', name: 'bid_exchange', standard: true },
  { id: '7057', name: 'ask_exchange', standard: true },
  { id: '7058', name: 'last_exchange', standard: true },
  { id: '70', name: 'high', standard: true },
  { id: '71', name: 'low', standard: true },
  { id: '7295', name: 'open', standard: true },
  { id: '7296', name: 'close', standard: true },
  { id: '7741', name: 'prior_close', standard: true },
  { id: '7762', name: 'volume', standard: true },
  { id: '87', name: 'volume_short', standard: true },
  { id: '87_raw', name: 'volume_short_number' },
  { id: '82', name: 'change', standard: true },
  { id: '83', name: 'change_percent', standard: true },
  { id: '7635', name: 'mark', standard: true },
  { id: '7682', name: 'change_since_open', standard: true },
  { id: '55', name: 'ticker', standard: true },
  { id: '6509', name: 'market_data_status', standard: true },
  { id: '6119', name: 'request_marker' },
  { id: '7051', name: 'company_name' },
  { id: '6004', name: 'exchange' },
  { id: '7221', name: 'listing_exchange' },
  { id: '6070', name: 'security_type' }
]

/** Numbers of the fields that are asked for by default. */
export const standardFields: readonly string[] = fields.filter(({ standard }) => standard).map(({ id }) => id)

/** Source name to schema field, for quotes and for the bars that fill gaps. Fields without a name go to `extra` under their number. */
export const names: Readonly<Record<string, string>> = {
  ...Object.fromEntries(fields.map(({ id, name }) => [id, name])),
  _updated: 'event_time',
  conidEx: 'contract',
  topic: 'stream',
  t: 'start_time',
  o: 'open',
  h: 'high',
  l: 'low',
  c: 'close',
  v: 'volume',
  barLength: 'bar_seconds',
  priceFactor: 'price_factor',
  volumeFactor: 'volume_factor',
  mdAvailability: 'market_data_status',
  mktDataDelay: 'delay_seconds'
}

/** Where the gateway says how fresh the values are. */
export const statusField = '6509'

/** First letter of the status: R real time, Z frozen; D and Y are 15 to 20 minutes late; N and O come without prices. Undefined: not known. */
export function delayedBy (status: unknown): boolean | undefined {
  const letter = typeof status === 'string' ? status[0] : undefined
  if (letter === 'D' || letter === 'Y') return true
  return letter === 'R' || letter === 'Z' ? false : undefined
}

/** Why an instrument has no prices; undefined: nothing speaks against them. */
export function missingRights (status: unknown): string | undefined {
  const letter = typeof status === 'string' ? status[0] : undefined
  if (letter === 'N') return 'this login has no market data rights (status N)'
  return letter === 'O' ? 'the market data API agreement is not accepted (status O)' : undefined
}
