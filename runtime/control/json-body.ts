import { PlatformError } from '../errors.ts'
import type { FastifyInstance } from 'fastify'

/** Levels of objects and arrays inside each other; a definition of a pipeline has ten. */
const DEPTH_MAX = 64

/** Bodies of JSON: a later step that walks through one must not run out of stack, and no name reaches a prototype. */
export function takeJson (app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (isDeep(String(body))) done(new PlatformError('REQUEST_INVALID', `The body is nested deeper than ${DEPTH_MAX} levels`))
    else return parse(request, String(body), done)
  })
}

/** Told from the text, before anything is made of it. */
export function isDeep (text: string): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) i = endOfText(text, i)
    else if (code === openBrace || code === openBracket) {
      if (++depth > DEPTH_MAX) return true
    } else if (code === closeBrace || code === closeBracket) depth--
  }
  return false
}

const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = [...'"\\{}[]'].map(sign => sign.charCodeAt(0)) as [number, number, number, number, number, number]

function endOfText (text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === backslash) i++
    else if (code === quote) return i
  }
  return text.length
}
