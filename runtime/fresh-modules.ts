// Modules that changed on disk, imported again within one process.
//
// An ES module is loaded once per URL and cannot be unloaded. So a version is put behind the URL of a plugin's entry, and
// the hook below hands it on to the modules of the same folder: `./wire.ts` of a new version is a new module, too. What
// lies outside the folder, such as the runtime, stays shared. Old versions stay in memory; a pipeline's thread has but one.

import { registerHooks } from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'

const folders = new Set<string>()
let registered = false

/** The URL of a module; another version is another module, together with the modules of its folder. */
export function freshUrl (file: string, version: string): string {
  folders.add(`${pathToFileURL(dirname(file)).href}/`)
  if (!registered) {
    registered = true
    registerHooks({
      resolve (specifier, context, next) {
        const resolved = next(specifier, context)
        const { parentURL = '' } = context
        const version = /\?version=(\w+)$/.exec(parentURL)?.[1]
        if (version === undefined || resolved.url.includes('?') || !inOneFolder(parentURL, resolved.url)) return resolved
        return { ...resolved, url: `${resolved.url}?version=${version}` }
      }
    })
  }
  return `${pathToFileURL(file).href}?version=${version}`
}

function inOneFolder (a: string, b: string): boolean {
  for (const folder of folders) if (a.startsWith(folder) && b.startsWith(folder)) return true
  return false
}
