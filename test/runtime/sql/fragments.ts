// Statements at random: a grammar of SELECT whose leaves are honest or hostile.

import fc from '../../properties.ts'

interface Bait {
  /** A file that must not be read. */
  readonly file: string
  /** Where nobody may connect to. */
  readonly port: number
}

export function fragments ({ file, port }: Bait): fc.Arbitrary<string> {
  const among = (...texts: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...texts)
  const hostile = <T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.oneof({ weight: 40, arbitrary: good }, { weight: 1, arbitrary: bad })
  const blank = among(' ', ' ', ' ', '\n', '/**/', ' -- x\n', '\t')
  const column = hostile(among('symbol', 'bid', 'ask', 'at', 'tags', '`bid`', 'q.bid'), among('desk', 'q.desk', 'extra', '_table', 'value', 'name', 'data.quotes.desk', '*', 'COLUMNS(\'.*\')', 'q.*', '* APPLY(file)', '* APPLY(x -> desk)'))
  const call = hostile(
    among('toString', 'toTypeName', 'toJSONString', 'isNull', 'toString', 'count'),
    among('file', 'dictGet', 'getSetting', 'hostName', 'joinGet', 'FILE', '`file`', 'sleep', 'catboostEvaluate', 'formatRow', 'url', 'input')
  )
  const table = hostile(
    among('quotes AS q', 'data.quotes q', 'realtime.quotes AS q', 'history.quotes q', 'quotes q', 'data.quotes AS q'),
    among('data.secrets q', 'secrets', 'streaming.quotes AS q', '`streaming`.`secrets`', 'streaming.secrets', 'system.parts', `file('${file}', 'LineAsString') q`, `file('${file}', LineAsString)`, `url('http://127.0.0.1:${port}/', LineAsString) q`,
      `remote('127.0.0.1:${port}', system.one)`, 'merge(\'streaming\', \'.*\') q', 'view(SELECT * FROM streaming.secrets)', 'loop(streaming, secrets)', `mysql('127.0.0.1:${port}', 'd', 't', 'u', 'p')`, 'cluster(\'default\', streaming.secrets)')
  )
  const tail = hostile(
    among('', '', 'LIMIT 3', 'ORDER BY 1', 'GROUP BY ALL', 'FORMAT JSONEachRow', 'LIMIT 1 BY bid', 'WHERE 1 OR 1', 'UNION ALL SELECT symbol FROM quotes', ';'),
    among('SETTINGS readonly = 0', `INTO OUTFILE '${file}'`, '; SELECT * FROM streaming.secrets', 'UNION ALL SELECT value FROM streaming.secrets', 'FORMAT Template', '-- \n; DROP TABLE streaming.quotes', 'INTERSECT SELECT desk FROM streaming.quotes', 'SETTINGS additional_table_filters = {}')
  )
  const { select } = fc.letrec<{ select: string, expression: string, condition: string }>(tie => ({
    expression: fc.oneof({ maxDepth: 3, depthIdentifier: 'sql' }, column, among('1', '\'a\'', '\'x; y\'', '[1, 2]', 'NULL'), fc.tuple(call, tie('expression')).map(([name, inner]) => `${name}(${inner})`), tie('select').map(inner => `(${inner})`)),
    condition: fc.oneof({ maxDepth: 3, depthIdentifier: 'sql' }, among('1', 'bid > 100', 'symbol = \'AAPL\'', '1 = 1 OR 1'), fc.tuple(tie('expression'), tie('select')).map(([left, right]) => `${left} IN (${right})`), fc.tuple(column, among('data.secrets', 'streaming.secrets', 'quotes', `file('${file}', 'LineAsString')`)).map(([left, right]) => `${left} IN ${right}`)),
    select: fc.tuple(among('', '', '', 'WITH w AS (SELECT 1) ', 'WITH quotes AS (SELECT * FROM data.quotes) '), fc.array(tie('expression'), { minLength: 1, maxLength: 3 }), blank, fc.oneof({ maxDepth: 2, depthIdentifier: 'sql' }, table, tie('select').map(inner => `(${inner}) AS q`)), fc.option(tie('condition'), { nil: undefined }))
      .map(([prefix, columns, gap, from, where]) => `${prefix}SELECT${gap}${columns.join(', ')}${gap}FROM${gap}${from}${where === undefined ? '' : ` WHERE ${where}`}`)
  }))
  return fc.tuple(select, tail).map(([body, end]) => `${body} ${end}`)
}
