export const operators = ['=', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'is null', 'is not null', 'like'] as const
export type Operator = typeof operators[number]
export type Scalar = string | number | boolean

/** `['price', '>', 10]`, `['symbol', 'in', ['AAPL', 'MSFT']]`, `['bid', 'is null']`. */
export type Comparison = readonly [column: string, operator: Operator, value?: Scalar | readonly Scalar[]]

/** Which rows: data, never code. */
export type Filter = Comparison | { readonly and: readonly Filter[] } | { readonly or: readonly Filter[] }
