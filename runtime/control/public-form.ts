// What leaves the process in an answer: no secret, and no path of this machine.

import { masker } from '../mask.ts'
import type { Platform } from '../platform.ts'

/** Makes the function that takes secrets and the place of the project out of a text; files of the project keep their relative names. */
export function publicForm (platform: Platform): (text: string) => string {
  const { config, root, supervisor } = platform
  const mask = masker([...config.secrets, ...[...supervisor.files.pipelines.values(), ...supervisor.definitions()].flatMap(({ secrets }) => secrets)])
  return text => withoutPaths(mask(text), root)
}

/** Paths below the project's folder become relative, the folder itself a dot. */
export function withoutPaths (text: string, root: string): string {
  if (root.length < 2) return text
  // Behind a letter or a slash it is a part of something else, such as an address on the web.
  const folder = new RegExp(`(?<![\\w./-])${root.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(/|(?![\\w.-]))`, 'g')
  return text.replace(folder, (_, slash: string) => slash === '/' ? '' : '.')
}
