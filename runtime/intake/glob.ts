// Globs as regular expressions, the same for folders and buckets:
//
//   *  any text without a slash      ?  one character, no slash      [a-z] [!a-z]  one of them, or none of them
//   **  any folders, also none, where it stands alone between slashes      {a,b}  either      \x  the character itself
//
// A name that begins with a dot is matched by a glob that has the dot only.
//
// What stands between two stars is looked for once, from the left, and its place is kept: where it fits first, all that
// comes behind fits, too, if it does anywhere. A regular expression that tried every place for each star would take
// forever for names that almost match.

/** Whether a text is more than the name of one file. */
export function isGlob (text: string): boolean {
  return /[*?[{]/.test(text)
}

/** The folder that all matches lie in, with a slash at its end; empty: there is none. */
export function baseOf (glob: string): string {
  const special = glob.search(/[*?[{\\]/)
  const literal = special === -1 ? glob : glob.slice(0, special)
  return literal.slice(0, literal.lastIndexOf('/') + 1)
}

/** Matches whole names. Throws a SyntaxError for a bracket or brace that is not closed. */
export function compileGlob (glob: string): RegExp {
  let kept = 0
  const keeper = (source: string): string => `(?=(?<kept${++kept}>${source}))\\k<kept${kept}>`
  return new RegExp(`^${alternatives(glob).map(one => sourceOf(one, keeper)).join('|')}$`.replace(/^\^(.*)\$$/s, '^(?:$1)$'), 'su')
}

/** The parts of a glob between slashes, to walk folders by; undefined: a brace has a slash, so that folders are not told apart. */
export function partsOf (glob: string): readonly string[] | undefined {
  return /\{[^}]*\/[^}]*\}/.test(glob) ? undefined : glob.split('/')
}

const alternativesMax = 1000

/** Without its braces. */
function alternatives (glob: string): string[] {
  const open = find(glob, '{', 0)
  if (open === -1) return [glob]
  const close = closing(glob, open)
  const found: string[] = []
  for (const choice of choices(glob.slice(open + 1, close))) {
    found.push(...alternatives(glob.slice(0, open) + choice + glob.slice(close + 1)))
    if (found.length > alternativesMax) throw new SyntaxError(`it stands for more than ${alternativesMax} globs`)
  }
  return found
}

function closing (glob: string, open: number): number {
  let depth = 0
  for (let i = open; i < glob.length; i++) {
    if (glob[i] === '\\') i++
    else if (glob[i] === '{') depth++
    else if (glob[i] === '}' && --depth === 0) return i
  }
  throw new SyntaxError('a brace { is not closed')
}

function choices (text: string): string[] {
  const found = ['']
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string
    if (character === '{') depth++
    if (character === '}') depth--
    if (character === ',' && depth === 0) found.push('')
    else found[found.length - 1] += character === '\\' ? character + (text[++i] ?? '') : character
  }
  return found
}

/** The place of a character that is not escaped and in no brackets. */
function find (glob: string, character: string, from: number): number {
  for (let i = from; i < glob.length; i++) {
    if (glob[i] === '\\') i++
    else if (glob[i] === '[') i = afterSet(glob, i) - 1
    else if (glob[i] === character) return i
  }
  return -1
}

const notHidden = '(?!\\.)'

/** Makes a part of an expression that does not give back what it has matched. */
type Keeper = (source: string) => string

function sourceOf (glob: string, keep: Keeper): string {
  const parts = glob.split('/').filter((part, i, all) => part !== '**' || all[i + 1] !== '**')
  const folders = `(?:${notHidden}[^/]+/)`
  let source = ''
  for (let i = 0; i < parts.length; i++) {
    const last = i === parts.length - 1
    const next = parts.indexOf('**', i + 1)
    if (parts[i] !== '**') {
      source += partSource(parts[i] as string, keep) + (last ? '' : '/')
    } else if (next === -1) {
      source += last ? `${folders}*${notHidden}[^/]+` : `${folders}*`
    } else {
      source += keep(`${folders}*?${parts.slice(i + 1, next).map(part => `${partSource(part, keep)}/`).join('')}`)
      i = next - 1
    }
  }
  return source
}

function partSource (part: string, keep: Keeper): string {
  // What stands behind each star; in front of the first one there is none.
  const chunks = ['']
  for (let i = 0; i < part.length; i++) {
    const character = part[i] as string
    let one = ''
    if (character === '*') {
      while (part[i + 1] === '*') i++
      chunks.push('')
    } else if (character === '?') {
      one = '[^/]'
    } else if (character === '[') {
      const after = afterSet(part, i)
      one = setSource(part.slice(i + 1, after - 1))
      i = after - 1
    } else {
      one = escape(character === '\\' ? part[++i] ?? '\\' : character)
    }
    chunks[chunks.length - 1] += one
  }
  const [begin = '', ...rest] = chunks
  const star = part === '*' ? '[^/]+' : '[^/]*'
  return `${/^[*?[]/.test(part) ? notHidden : ''}${begin}${rest.map((chunk, i) => i === rest.length - 1 ? star + chunk : keep(`[^/]*?${chunk}`)).join('')}`
}

/** Behind the bracket that closes a set; a bracket right behind the opening one belongs to it. */
function afterSet (glob: string, open: number): number {
  const first = open + (/^\[[!^]/.test(glob.slice(open)) ? 2 : 1)
  const close = glob.indexOf(']', first + 1)
  if (close === -1) throw new SyntaxError('a bracket [ is not closed')
  return close + 1
}

function setSource (set: string): string {
  const negated = /^[!^]/.test(set)
  const members = (negated ? set.slice(1) : set).replace(/[\\\]^[&~]/g, '\\$&')
  return negated ? `[^/${members}]` : `[${members}]`
}

function escape (character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}
