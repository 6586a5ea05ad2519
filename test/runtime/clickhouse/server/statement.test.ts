import t from 'tap'
import { analyse } from '../../../../runtime/clickhouse/server/statement.ts'

const cut = (text: string, { start, end }: { start: number, end: number }) => text.slice(start, end)

await t.test('the data of an INSERT begin behind its format, wherever words of the same name stand', async t => {
  const cases: Array<[string, string, string]> = [
    ['INSERT INTO t FORMAT TSV\n1', 'TSV', '1'],
    ['insert into t (a, `b)`) format JSONEachRow {"a":";"}', 'JSONEachRow', '{"a":";"}'],
    ['INSERT INTO db.format (values) FORMAT CSV\r\n1,2', 'CSV', '1,2'],
    ['INSERT INTO values VALUES (1)', 'Values', '(1)'],
    ['INSERT INTO TABLE FUNCTION remote(\'FORMAT X\', t) SETTINGS a = 1 FORMAT Native\n\0;', 'Native', '\0;'],
    ['/* ; */ INSERT INTO t -- FORMAT X\n FORMAT Values (1)', 'Values', '(1)'],
    ['INSERT INTO t FORMAT RowBinary', 'RowBinary', ''],
    ['INSERT INTO t FORMAT TSV\n\n\nx', 'TSV', '\n\nx'],
    ["INSERT INTO t SELECT a FROM input('a UInt8') FORMAT TSV\n1", 'TSV', '1']
  ]
  for (const [text, format, data] of cases) {
    const statement = analyse(text)
    t.match(statement, { verb: 'INSERT', format: { name: format }, data: {} }, text)
    t.equal(text.slice(statement.end), data, text)
  }
})

await t.test('FROM INFILE fits before settings and format', async t => {
  const at = (text: string) => text.slice(0, analyse(text).data?.clauseAt)
  t.equal(at('INSERT INTO t (a) FORMAT TSV 1'), 'INSERT INTO t (a) ')
  t.equal(at('INSERT INTO t SETTINGS x = 1 FORMAT TSV 1'), 'INSERT INTO t ')
  t.equal(at('INSERT INTO t VALUES (1)'), 'INSERT INTO t ')
})

await t.test('an INSERT that selects has no data, and what it selects may be called anything', async t => {
  for (const text of ['INSERT INTO t SELECT 1', 'INSERT INTO t (a) SELECT format FROM f', 'INSERT INTO t WITH 1 AS a SELECT a', 'INSERT INTO t SELECT values FROM v', 'INSERT INTO t SELECT 1 FORMAT TSV']) {
    t.equal(analyse(text).data, undefined, text)
  }
})

await t.test('the format of an answer is the last clause', async t => {
  const format = (text: string) => {
    const found = analyse(text).format
    return found === undefined ? undefined : cut(text, found)
  }
  t.equal(format('SELECT 1 FORMAT JSON'), 'FORMAT JSON')
  t.equal(format('SELECT 1 FORMAT JSON SETTINGS a = 1;'), 'FORMAT JSON')
  t.equal(format('SELECT 1 format csv -- FORMAT X'), 'format csv')
  t.equal(format("SELECT 'FORMAT JSON'"), undefined)
  t.equal(format('SELECT a FROM (SELECT 1 AS a FORMAT JSON)'), undefined)
  t.equal(format('SELECT format FROM t'), undefined)
})

await t.test('one statement is let through, with any closing semicolons, quotes and comments', async t => {
  const one = ['SELECT 1', 'SELECT 1;;', "SELECT ';'", "SELECT 'it''s;', '\\';'", 'SELECT 1 AS "a;b", 2 AS `c``;`', 'SELECT 1 -- ; x\n', 'SELECT 1 # ; x\n', 'SELECT /* ; ; */ 1', 'SELECT $$ ; $$', 'SELECT $tag$ ; $$ ; $tag$', "SELECT 'unfinished ;"]
  for (const text of one) t.equal(analyse(text).verb, 'SELECT', text)
  for (const text of ['SELECT 1; SELECT 2', 'SELECT 1;; DROP TABLE t', "SELECT '\\\\'; DROP TABLE t --'", 'SELECT `a`; x', 'SELECT $a; DROP TABLE t; $a', 'INSERT INTO t VALUES (1); SELECT 1', 'INSERT INTO t SELECT 1; SELECT 2']) {
    t.throws(() => analyse(text), { code: 62, message: /Multi-statements/ }, text)
  }
  for (const text of ['', ' \n', '-- x', '/* x', ';']) t.throws(() => analyse(text), { code: 62 }, JSON.stringify(text))
})

await t.test('a statement with its files on the client is refused, and one with such names is not', async t => {
  t.throws(() => analyse("SELECT 1 INTO OUTFILE 'x'"), { code: 358 })
  t.throws(() => analyse("SELECT * FROM t /**/ into /**/ outfile 'x' FORMAT TSV"), { code: 358 })
  t.throws(() => analyse("INSERT INTO t FROM INFILE 'x' FORMAT TSV"), { code: 78 })
  t.throws(() => analyse("INSERT INTO t (a) FROM INFILE 'x'"), { code: 78 })
  t.equal(analyse('INSERT INTO outfile SELECT 1').verb, 'INSERT')
  t.equal(analyse('SELECT a FROM infile').verb, 'SELECT')
})

await t.test('a long statement is cut in linear time', async t => {
  const list = Array.from({ length: 200_000 }, (_, i) => i).join(',')
  t.equal(analyse(`SELECT 1 IN (${list}) FORMAT TSV`).format?.name, 'TSV')
  t.equal(analyse(`SELECT '${'\\\''.repeat(200_000)}'`).verb, 'SELECT')
})
