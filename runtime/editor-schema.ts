// JSON Schemas of the YAML files, for editors: completion, descriptions and errors while typing.

import { alertsForm } from './alerts/alert-file.ts'
import { calendarForm } from './calendar/calendar-form.ts'
import { platformForm } from './config.ts'
import { costForm } from './cost/prices.ts'
import type { JsonSchema } from './check.ts'
import { listPlugins } from './loader.ts'
import type { ListedPlugin } from './loader.ts'
import { pipelineForm, reservedKeys } from './pipeline-form.ts'
import { pipelineTestForm } from './pipeline-test-file.ts'
import { optionsSchema } from './plugin-config.ts'
import { topicForm } from './topic-form.ts'

const draft = 'http://json-schema.org/draft-07/schema#'

/** Pipelines, with the options of all plugins of the project's folder. */
export async function pipelineJsonSchema (root: string): Promise<JsonSchema> {
  const plugins = await listPlugins(root)
  const step = (kind: ListedPlugin['kind']): JsonSchema => stepSchema(plugins.filter(plugin => plugin.kind === kind && plugin.problem === undefined), reservedKeys[kind])
  const { properties } = pipelineForm
  return {
    $schema: draft,
    title: 'Pipeline',
    ...withVariables(pipelineForm),
    properties: {
      ...withVariables(pipelineForm)['properties'] as object,
      input: { description: properties.input.description, ...step('input') },
      transforms: { ...properties.transforms, items: step('transform') },
      outputs: { ...properties.outputs, items: step('output') }
    }
  }
}

/** schemas/<topic>.yaml */
export function topicJsonSchema (): JsonSchema {
  return { $schema: draft, title: 'Topic schema', ...topicForm }
}

/** pipelines/<id>.test.yaml */
export function pipelineTestJsonSchema (): JsonSchema {
  return { $schema: draft, title: 'Tests of a pipeline', ...pipelineTestForm }
}

/** config/platform.yaml */
export function platformJsonSchema (): JsonSchema {
  return { $schema: draft, title: 'Platform configuration', ...withVariables(platformForm) }
}

/** config/calendars/<name>.yaml */
export function calendarJsonSchema (): JsonSchema {
  return { $schema: draft, title: 'Market calendar', ...calendarForm }
}

/** config/cost.yaml */
export function costJsonSchema (): JsonSchema {
  return { $schema: draft, title: 'Prices', ...costForm }
}

/** config/alerts.yaml */
export function alertsJsonSchema (): JsonSchema {
  return { $schema: draft, title: 'Alerts', ...alertsForm }
}

/** A step is a plugin's name, or its name with its options and the reserved keys beside it. */
function stepSchema (plugins: readonly ListedPlugin[], reserved: Readonly<Record<string, unknown>>): JsonSchema {
  return {
    anyOf: [
      { type: 'string', enum: plugins.map(({ name }) => name) },
      {
        type: 'object',
        additionalProperties: false,
        properties: { ...Object.fromEntries(plugins.map(plugin => [plugin.name, pluginSchema(plugin)])), ...reserved },
        // Plugins from npm, whose options are not known here.
        patternProperties: { '^(?:@[^/]+/|twolane-)': {} }
      }
    ]
  }
}

function pluginSchema ({ description, options, shorthand }: ListedPlugin): JsonSchema {
  const long = withVariables(optionsSchema(options))
  const short = shorthand === undefined ? undefined : (long['properties'] as Record<string, JsonSchema>)[shorthand]
  const empty = (long['required'] as string[]).length === 0 ? [{ type: 'null' }] : []
  return { description, anyOf: [long, ...(short === undefined ? [] : [short]), ...empty] }
}

const variable = { type: 'string', pattern: '\\$\\{[A-Za-z_]\\w*(?::[^}]*)?\\}' }

/** What is not any text may also be one with a variable in it. */
function withVariables (form: JsonSchema): JsonSchema {
  const properties = form['properties'] as Readonly<Record<string, JsonSchema>>
  return {
    ...form,
    properties: Object.fromEntries(Object.entries(properties).map(([name, schema]) => {
      const { description, default: fallback, ...rest } = schema
      const anyText = rest['type'] === 'string' && rest['enum'] === undefined && rest['pattern'] === undefined
      const isList = [rest['type']].flat().some(type => type === 'array' || type === 'object')
      if (anyText || isList) return [name, schema]
      return [name, { ...(description !== undefined && { description }), ...(fallback !== undefined && { default: fallback }), anyOf: [rest, variable] }]
    }))
  }
}
