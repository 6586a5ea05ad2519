// NDJSON ▶ Parquet (zstd) by DuckDB alone, with the texts as they are: what the lake keeps, too.
//   node test/bench/peers/duckdb.ts <from> <to>

import { DuckDBInstance } from '@duckdb/node-api'
import { fields } from './work.ts'

const [from = '', to = ''] = process.argv.slice(2)
const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
const columns = fields.map(name => `${name}: 'VARCHAR'`).join(', ')
await connection.run(`COPY (SELECT * FROM read_json('${from}', format = 'newline_delimited', columns = {${columns}})) TO '${to}' (FORMAT parquet, COMPRESSION zstd)`)
connection.closeSync()
instance.closeSync()
