import type { Call } from './endpoints.ts'

/** A command that makes the call; what has to be filled in stands in braces. */
export function curlOf ({ method, path, parameters = [], requestBody, security }: Call, origin: string): string {
  const needed = parameters.filter(one => one.in === 'query' && one.required === true).map(({ name }) => `${name}={${name}}`)
  const type = Object.keys(requestBody?.content ?? {})[0]
  return [
    `curl ${method === 'GET' ? '' : `-X ${method} `}'${origin}${path}${needed.length === 0 ? '' : `?${needed.join('&')}`}'`,
    ...security?.length === 0 ? [] : ['-H "Authorization: Bearer $TWOLANE_TOKEN"'],
    ...type === undefined ? [] : [`-H 'Content-Type: ${type}' -d '${type === 'application/json' ? '{…}' : '…'}'`]
  ].join(' \\\n  ')
}
