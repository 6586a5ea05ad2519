// Units and money, told from names. A guess: whoever knows the source corrects it.

const money = /(?:^|_)(?:price|px|bid|ask|last|open|high|low|close|vwap|mark|strike|cost|fee|notional|amount|settle(?:ment)?|mid|pnl|balance)(?:_|$)/
const size = /(?:^|_)(?:size|volume|vol|qty|quantity|shares|lots|position)(?:_|$)/
const units: ReadonlyArray<readonly [RegExp, string]> = [
  [/(?:^|_)(?:pct|percent)(?:_|$)|percent/, '%'],
  [/(?:^|_)bps?(?:_|$)/, 'basis points'],
  [/_ms$|_millis(?:econds)?$/, 'ms'],
  [/_(?:s|secs?|seconds)$/, 's'],
  [/_(?:ns|nanos)$/, 'ns'],
  [/_(?:bytes)$/, 'bytes'],
  [/_(usd|eur|gbp|jpy|chf)$/, ''],
  [size, 'shares or contracts'],
  [money, 'currency of the instrument']
]

export function isMoney (name: string): boolean {
  return money.test(name) && !size.test(name)
}

/** Empty: the name does not tell. */
export function unitOf (name: string, type: string): string {
  if (!/^(?:u?int|float|decimal)/.test(type)) return ''
  const currency = /_(usd|eur|gbp|jpy|chf)$/.exec(name)?.[1]
  return currency?.toUpperCase() ?? units.find(([pattern]) => pattern.test(name))?.[1] ?? ''
}
