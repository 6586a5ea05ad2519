// JSON from outside. Beyond JSON.parse it holds what a data platform needs: no digit is lost without a word, no text
// leaves UTF-8, and nothing is nested so deeply that a later step runs out of stack.

/** Levels of objects and arrays inside each other. */
export const depthMax = 100

/**
 * The value of a JSON text. A number that a double cannot hold, such as 0.10000000000000000001 or an integer beyond
 * 2^53, comes as its text. Throws an Error that says what is wrong with the text.
 */
export function parseJson (text: string): unknown {
  const value: unknown = JSON.parse(hasLongNumber(text) ? keepDigits(text) : text)
  checkJson(value, hasEscapes(text))
  return value
}

/** True where `parseJson` may differ from `JSON.parse` for the sake of a digit or an escape: fast, to decide once for many rows. */
export function needsCare (text: string): boolean {
  return hasEscapes(text) || hasLongNumber(text)
}

/** Throws for a value that is nested too deeply, for a number like 1e999 or, with `texts`, for half of a surrogate pair in a text or a name. */
export function checkJson (value: unknown, texts: boolean, depth = 0): void {
  if (typeof value === 'string') {
    if (texts && !value.isWellFormed()) throw new SyntaxError('a text holds half of a surrogate pair (\\ud800 to \\udfff), which is no character')
    return
  }
  if (value === Infinity || value === -Infinity) throw new SyntaxError('a number is too large for a double')
  if (typeof value !== 'object' || value === null) return
  if (depth >= depthMax) throw new SyntaxError(`it is nested deeper than ${depthMax} levels`)
  if (Array.isArray(value)) {
    for (const item of value) checkJson(item, texts, depth + 1)
    return
  }
  for (const name in value) {
    if (texts) checkJson(name, texts)
    checkJson((value as Record<string, unknown>)[name], texts, depth + 1)
  }
}

// Only an escape can bring half of a pair into a text that was UTF-8.
function hasEscapes (text: string): boolean {
  return text.includes('\\u')
}

const digitsMax = 15 // A double keeps every decimal of 15 digits.

/** Whether digits and points follow each other for longer than a double is sure to hold. It looks at one place in 16: a long run covers one. */
function hasLongNumber (text: string): boolean {
  for (let i = digitsMax; i < text.length; i += digitsMax + 1) {
    if (!isDigit(text.charCodeAt(i))) continue
    let from = i
    while (from > 0 && isDigit(text.charCodeAt(from - 1))) from--
    let to = i + 1
    while (to < text.length && isDigit(text.charCodeAt(to))) to++
    if (to - from > digitsMax) return true
    i += (to - i >> 4) << 4
  }
  return false
}

/** A digit or the point of a decimal. */
function isDigit (code: number): boolean {
  return (code >= 48 && code <= 57) || code === 46
}

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const longRun = /[\d.]{16}/
const colon = /\s*:/y

/** The text with quotes around the numbers that a double does not hold. What is no JSON stays no JSON. */
function keepDigits (text: string): string {
  let kept = ''
  let done = 0
  let i = 0
  while (i < text.length) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      i = afterText(text, i + 1)
    } else if (isDigit(code) || code === MINUS) {
      const to = afterNumber(text, i + 1)
      if (to - i > digitsMax && lost(text, i, to)) {
        kept += `${text.slice(done, i)}"${text.slice(i, to)}"`
        done = to
      }
      i = to
    } else {
      i++
    }
  }
  return done === 0 ? text : kept + text.slice(done)
}

const QUOTE = 34
const MINUS = 45
const BACKSLASH = 92

function afterText (text: string, i: number): number {
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) return i + 1
    if (code === BACKSLASH) i++
  }
  return i
}

function afterNumber (text: string, i: number): number {
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Digits and the point; e and E; plus and minus.
    if (!isDigit(code) && (code | 32) !== 101 && code !== 43 && code !== MINUS) return i
  }
  return i
}

/** Whether a number, and nothing that quotes would turn into JSON, stands there whose digits a double does not hold. */
function lost (text: string, from: number, to: number): boolean {
  const digits = text.slice(from, to)
  if (String(Number(digits)) === digits || !number.test(digits) || !longRun.test(digits)) return false
  colon.lastIndex = to
  return !colon.test(text)
}
