// From the text that PostgreSQL sends for a value to plain JSON, exact.

import { parseJson } from '../../../runtime/json.ts'

type Convert = (text: string) => unknown

const number: Convert = text => {
  const value = Number(text)
  // NaN and the infinities have no place in JSON; their text says which of them it was.
  return Number.isFinite(value) ? value : text
}
const same: Convert = text => text
const time: Convert = text => text.replace(' ', 'T')
/** The session is in UTC. */
const instant: Convert = text => text.replace(' ', 'T').replace(/\+00$/, 'Z')
const bytes: Convert = text => Buffer.from(text.slice(2), 'hex').toString('base64')

/** By the object id of the type. What is not here stays the text that PostgreSQL prints. */
const converters = new Map<number, Convert>([
  [16, text => text === 't'], // bool
  [21, number], [23, number], [26, number], // int2, int4, oid
  [700, number], [701, number], // float4, float8
  [17, bytes], // bytea
  [114, parseJson], [3802, parseJson], // json, jsonb
  [1114, time], [1184, instant] // timestamp, timestamptz
])

/** Of arrays: the type of their items. */
const itemTypes = new Map<number, number>([
  [1000, 16], [1005, 21], [1007, 23], [1028, 26], [1016, 20], [1231, 1700], [1021, 700], [1022, 701], [1001, 17], [199, 114], [3807, 3802],
  [1115, 1114], [1185, 1184], [1182, 1082], [1183, 1083], [1009, 25], [1015, 1043], [1014, 1042], [1003, 19], [2951, 2950], [1187, 1186]
])

/** What turns the text of a type into JSON. */
export function converterOf (type: number): Convert {
  const item = itemTypes.get(type)
  if (item !== undefined) {
    const convert = converters.get(item) ?? same
    return text => parseArray(text, convert)
  }
  return converters.get(type) ?? same
}

/** `{1,NULL,"a \"b\""}`, nested or with bounds in front (`[0:1]={1,2}`). */
function parseArray (text: string, convert: Convert): unknown[] {
  let i = text.indexOf('{') + 1

  function list (): unknown[] {
    const items: unknown[] = []
    while (i < text.length) {
      const first = text[i]
      if (first === '}') {
        i++
        return items
      }
      if (first === ',') i++
      else if (first === '{') {
        i++
        items.push(list())
      } else items.push(first === '"' ? convert(quoted()) : plain())
    }
    return items
  }

  function quoted (): string {
    let value = ''
    for (i++; i < text.length && text[i] !== '"'; i++) {
      if (text[i] === '\\') i++
      value += text[i] as string
    }
    i++
    return value
  }

  function plain (): unknown {
    const from = i
    while (i < text.length && text[i] !== ',' && text[i] !== '}') i++
    const value = text.slice(from, i)
    return value === 'NULL' ? null : convert(value)
  }

  return list()
}
