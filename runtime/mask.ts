/** Shorter texts would mask half of every log, and are no secrets. */
const CHARACTERS_MIN = 6

/** Makes the function that replaces secrets in a text (also in their JSON form) by `***`. */
export function masker (secrets: readonly string[]): (text: string) => string {
  const forms = secrets.filter(secret => secret.length >= CHARACTERS_MIN).flatMap(secret => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
  // Longest first: a secret may be a part of another one.
  const unique = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return text => unique.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
}
