// A regular expression as a tree: what JavaScript and the engine (RE2) read in the same way, and nothing else.
//
//   pattern   either of sequences with | between them
//   sequence  of: letter, . (any), [class], \escape, ^, $, (pattern), (?:pattern); each with * + ? {n} {n,} {n,m} and a ? behind
//
// `.` is any code point, ^ and $ are the ends of the whole text, \s is blank, tab, line feed, form feed and return.

/** Code points, both ends included. */
export type Ranges = ReadonlyArray<readonly [from: number, to: number]>

export type Node = { readonly kind: 'set', readonly ranges: Ranges }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'either', readonly nodes: readonly Node[] }
  | { readonly kind: 'repeat', readonly node: Node, readonly least: number, readonly most: number }

const LAST_POINT = 0x10ffff
/** The engine takes no more. */
const REPEATS_MAX = 1000
const DEPTH_MAX = 50

const digits: Ranges = [[48, 57]]
const words: Ranges = [[48, 57], [65, 90], [95, 95], [97, 122]]
const blanks: Ranges = [[9, 10], [12, 13], [32, 32]]
const named: Readonly<Record<string, Ranges>> = { d: digits, D: others(digits), w: words, W: others(words), s: blanks, S: others(blanks) }
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 }

/** Throws a plain Error that says what is wrong; the caller knows the place. */
export function parsePattern (pattern: string): Node {
  if (/\(\?(?!:)|\\[1-9k]|\\[pPuxcbB]/.test(pattern)) throw new Error('looks around, refers back, or has an escape that the engine reads in another way; write it without')
  try {
    // eslint-disable-next-line no-new -- only whether it can be made is asked; what is left below is well-formed.
    new RegExp(pattern, 'su')
  } catch {
    throw new Error('is no regular expression')
  }
  return new Reader(pattern).either(0)
}

class Reader {
  readonly #letters: readonly string[]
  #at = 0

  constructor (pattern: string) {
    this.#letters = [...pattern]
  }

  either (depth: number): Node {
    if (depth > DEPTH_MAX) throw new Error(`has groups more than ${DEPTH_MAX} levels deep`)
    const nodes = [this.#sequence(depth)]
    while (this.#take('|')) nodes.push(this.#sequence(depth))
    return nodes.length === 1 ? nodes[0] as Node : { kind: 'either', nodes }
  }

  #sequence (depth: number): Node {
    const nodes: Node[] = []
    while (this.#at < this.#letters.length && this.#letters[this.#at] !== '|' && this.#letters[this.#at] !== ')') nodes.push(this.#repeated(this.#atom(depth)))
    return { kind: 'sequence', nodes }
  }

  #atom (depth: number): Node {
    const letter = this.#letters[this.#at++] as string
    switch (letter) {
      case '^': return { kind: 'start' }
      case '$': return { kind: 'end' }
      case '.': return { kind: 'set', ranges: [[0, LAST_POINT]] }
      case '[': return { kind: 'set', ranges: this.#class() }
      case '(': {
        if (this.#take('?')) this.#at++
        const node = this.either(depth + 1)
        this.#at++
        return node
      }
      default: return { kind: 'set', ranges: letter === '\\' ? this.#escape() : only(letter) }
    }
  }

  #repeated (node: Node): Node {
    const sign = this.#letters[this.#at]
    if (sign === undefined || !'*+?{'.includes(sign)) return node
    let [least, most] = sign === '?' ? [0, 1] : [sign === '+' ? 1 : 0, Infinity]
    const end = sign === '{' ? this.#letters.indexOf('}', this.#at) : this.#at
    if (sign === '{') {
      const [from = '', to = from] = this.#letters.slice(this.#at + 1, end).join('').split(',')
      least = Number(from)
      most = to === '' ? Infinity : Number(to)
      if (Math.max(least, most === Infinity ? 0 : most) > REPEATS_MAX) throw new Error(`repeats more than ${REPEATS_MAX} times, which the engine does not take`)
    }
    this.#at = end + 1
    // Whether as much or as little as possible is taken makes no difference to whether there is a place that fits.
    this.#take('?')
    return { kind: 'repeat', node, least, most }
  }

  #class (): Ranges {
    const inverted = this.#take('^')
    const ranges: Array<readonly [number, number]> = []
    while (!this.#take(']')) {
      const first = this.#member()
      const isRange = this.#letters[this.#at] === '-' && this.#letters[this.#at + 1] !== ']'
      if (isRange) this.#at++
      const last = isRange ? this.#member() : first
      if (isRange) ranges.push([first[0]?.[0] as number, last[0]?.[1] as number])
      else ranges.push(...first)
    }
    if (ranges.length === 0) throw new Error('has an empty class [], which the engine reads in another way')
    return inverted ? others(ranges) : ranges
  }

  #member (): Ranges {
    const letter = this.#letters[this.#at++] as string
    if (letter === '[' && this.#letters[this.#at] === ':') throw new Error('has [: in a class, which the engine reads in another way; write the letters')
    return letter === '\\' ? this.#escape() : only(letter)
  }

  #escape (): Ranges {
    const letter = this.#letters[this.#at++] as string
    const control = controls[letter]
    return named[letter] ?? (control === undefined ? only(letter) : [[control, control]])
  }

  #take (letter: string): boolean {
    if (this.#letters[this.#at] !== letter) return false
    this.#at++
    return true
  }
}

function only (letter: string): Ranges {
  const point = letter.codePointAt(0) as number
  return [[point, point]]
}

/** All code points that are not in these. */
function others (ranges: Ranges): Ranges {
  const found: Array<readonly [number, number]> = []
  let next = 0
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (from > next) found.push([next, from - 1])
    next = Math.max(next, to + 1)
  }
  if (next <= LAST_POINT) found.push([next, LAST_POINT])
  return found
}
