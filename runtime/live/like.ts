// SQL's LIKE without regular expressions: whoever asks gives the pattern, and it is compared with each row of a live feed
// in the thread of the endpoint. The time is that of pattern times text at most, whatever is in them.

/** A character, any one, or any number of any. */
type Part = string | typeof ANY_ONE | typeof ANY
const ANY_ONE = 1
const ANY = 2

/** `%` stands for any characters, `_` for one, a backslash before them takes that away. */
export function likeMatcher (pattern: string): (text: string) => boolean {
  const parts = partsOf(pattern)
  const fits = (part: Part | undefined, character: string | undefined): boolean => character !== undefined && (part === ANY_ONE || part === character)
  return text => {
    const characters = [...text]
    let [at, n] = [0, 0]
    // The last % and where the text behind it was tried: earlier ones need not be tried again.
    let [open, tried] = [-1, 0]
    while (at < characters.length) {
      if (parts[n] === ANY) {
        [open, tried] = [n, at]
        n++
      } else if (fits(parts[n], characters[at])) {
        at++
        n++
      } else if (open >= 0) {
        n = open + 1
        at = ++tried
      } else return false
    }
    while (parts[n] === ANY) n++
    return n === parts.length
  }
}

function partsOf (pattern: string): Part[] {
  const parts: Part[] = []
  const characters = [...pattern]
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] as string
    if (character === '\\' && ['%', '_', '\\'].includes(characters[i + 1] ?? '')) parts.push(characters[++i] as string)
    else if (character === '_') parts.push(ANY_ONE)
    else if (character !== '%') parts.push(character)
    else if (parts.at(-1) !== ANY) parts.push(ANY)
  }
  return parts
}
