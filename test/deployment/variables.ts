import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { platformKeys } from '../../runtime/config.ts'
import { root } from '../system/project.ts'

const known = new Set(Object.values(platformKeys).map(({ variable }) => variable))
const pipelines = readdirSync(join(root, 'pipelines')).map(name => readFileSync(join(root, 'pipelines', name), 'utf8')).join('\n')

/** Why the platform would not take a variable that is set for it; undefined: it would. */
export function refusal (name: string, value: string | undefined): string | undefined {
  const key = Object.values(platformKeys).find(({ variable }) => variable === name)
  if (name.startsWith('TWOLANE_') && !known.has(name)) return `${name} is no variable of the platform`
  if (key === undefined) return name.startsWith('AWS_') || pipelines.includes(`\${${name}`) ? undefined : `no pipeline asks for ${name}`
  const { enum: values, pattern } = key.schema as { enum?: unknown[], pattern?: string }
  if (value === undefined) return undefined
  if (values?.includes(value) === false) return `${name} cannot be ${value}`
  return pattern === undefined || new RegExp(pattern).test(value) ? undefined : `${name} does not look like ${value}`
}
