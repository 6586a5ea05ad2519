import type { SwaggerTransformObject } from '@fastify/swagger'

interface Body { required?: boolean, readonly content: Readonly<Record<string, { readonly schema?: { readonly type?: unknown } }>> }

/** The description, with bodies that may be null as ones that may be left out: a request without a body has that of null. */
export const withOptionalBodies: SwaggerTransformObject = document => {
  if ('swaggerObject' in document) return document.swaggerObject
  for (const path of Object.values(document.openapiObject.paths ?? {})) {
    for (const { requestBody } of Object.values(path as Record<string, { readonly requestBody?: Body }>)) {
      const types = Object.values(requestBody?.content ?? {}).map(({ schema }) => [schema?.type].flat())
      if (requestBody !== undefined && types.every(type => type.includes('null'))) requestBody.required = false
    }
  }
  return document.openapiObject
}
