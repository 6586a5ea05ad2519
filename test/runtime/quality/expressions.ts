// Regular expressions at random, and short texts of the letters that they speak of.

import fc from '../../properties.ts'

const piece = fc.constantFrom('a', 'b', '.', '^', '$', '[ab]', '[^a]', '[a-c-]', '\\d', '\\W', '\\s', '\\.', '\\n', '-', '😀', '[^😀]')

export const pattern = fc.letrec<{ pattern: string }>(tie => ({
  pattern: fc.oneof({ maxDepth: 4, depthSize: 'medium' }, piece, fc.tuple(tie('pattern'), tie('pattern')).map(parts => parts.join('')), fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
    fc.tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,}', '{0,2}', '{1,3}?', '*?')).map(([inner, times]) => `(${inner})${times}`))
})).pattern

export const text = fc.array(fc.constantFrom('a', 'b', 'c', '-', '.', '\n', ' ', '1', '😀', '\ud83d'), { maxLength: 8 }).map(letters => letters.join(''))
