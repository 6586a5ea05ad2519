// Forms drawn from JSON Schema, as plugins declare their options: each field with its description, its default, and what
// is wrong with it, said beside it and to those who do not see it.

import { html, useId, useState } from '../kit/html.ts'
import type { Problem } from '../kit/api.ts'
import type { ComponentChildren, VNode } from '../kit/html.ts'

export interface FieldSchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly items?: FieldSchema
  readonly properties?: Readonly<Record<string, FieldSchema>>
  readonly required?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  /** A secret: typed blindly, and never sent back by the platform. */
  readonly writeOnly?: boolean
  readonly [key: string]: unknown
}

export type Values = Readonly<Record<string, unknown>>

export interface FormProps {
  readonly schema: FieldSchema
  readonly values: Values
  readonly onChange: (values: Values) => void
  /** By path, such as `options.host`. */
  readonly errors?: Readonly<Record<string, string>>
}

/** The fields of an object; names of nested ones are joined by dots in `errors`. */
export function Fields ({ schema, values, onChange, errors = {}, path = '' }: FormProps & { readonly path?: string }): VNode {
  const required = new Set(schema.required)
  // What has to be given stands first; the rest keeps its order.
  const names = Object.keys(schema.properties ?? {}).sort((a, b) => Number(required.has(b)) - Number(required.has(a)))
  return html`<div class="fields">${names.map(name => html`<${Field} key=${name} name=${name} path=${`${path}${name}`} schema=${schema.properties?.[name]} required=${required.has(name)} value=${values[name]} errors=${errors} onChange=${(value: unknown) => onChange(withValue(values, name, value))} />`)}</div>`
}

interface FieldProps {
  readonly name: string
  readonly path: string
  readonly schema: FieldSchema
  readonly required: boolean
  readonly value: unknown
  readonly errors: Readonly<Record<string, string>>
  readonly onChange: (value: unknown) => void
}

function Field ({ name, path, schema, required, value, errors, onChange }: FieldProps): VNode {
  if (typeOf(schema) === 'object' && schema.properties !== undefined) {
    return html`<fieldset><legend>${titleOf(name, schema)}</legend><p class="faint small">${schema.description}</p><${Fields} schema=${schema} values=${(value ?? {}) as Values} errors=${errors} path=${`${path}.`} onChange=${onChange} /></fieldset>`
  }
  return html`<${Labelled} label=${titleOf(name, schema)} required=${required} hint=${hintOf(schema)} error=${errors[path]} inline=${typeOf(schema) === 'boolean'}>
    ${(control: Control) => html`<${Input} schema=${schema} value=${value} onChange=${onChange} control=${control} />`}
  </${Labelled}>`
}

/** What ties an input to its label, its hint and its error. */
export interface Control {
  readonly id: string
  readonly 'aria-describedby': string
  readonly 'aria-invalid': boolean | undefined
  readonly required: boolean | undefined
}

/** A label, a hint and an error around one input, which `children` draws with the attributes that tie it to them. */
export function Labelled ({ label, hint, error, required = false, inline = false, children }: { readonly label: string, readonly hint?: ComponentChildren, readonly error?: string | undefined, readonly required?: boolean, readonly inline?: boolean, readonly children: (control: Control) => VNode }): VNode {
  const id = useId()
  const control: Control = { id, 'aria-describedby': `${id}-hint ${id}-error`, 'aria-invalid': error === undefined ? undefined : true, required: required ? true : undefined }
  return html`<div class=${`field ${inline ? 'inline' : ''} ${error === undefined ? '' : 'wrong'}`}>
    <label for=${id}>${label}${required && html` <span class="faint small">required</span>`}</label>
    ${children(control)}
    <p class="hint" id=${`${id}-hint`}>${hint}</p>
    <p class="error" id=${`${id}-error`}>${error}</p>
  </div>`
}

interface InputProps { readonly schema: FieldSchema, readonly value: unknown, readonly onChange: (value: unknown) => void, readonly control: Control }

const textOf = (event: Event): string => (event.target as HTMLInputElement).value

function Input (props: InputProps): VNode {
  const { schema, value, onChange, control } = props
  const type = typeOf(schema)
  const placeholder = schema.default === undefined ? undefined : shown(schema.default)
  // A variable stands where a value of any type may stand.
  if (isVariable(value)) return html`<input ...${control} type="text" class="mono" spellcheck=${false} value=${value} onInput=${(event: Event) => onChange(textOf(event) === '' ? undefined : textOf(event))} />`
  if (schema.enum !== undefined) return html`<${Choice} ...${props} options=${schema.enum} placeholder=${placeholder} />`
  if (type === 'boolean') return html`<input ...${control} type="checkbox" checked=${value ?? schema.default ?? false} onChange=${(event: Event) => onChange((event.target as HTMLInputElement).checked)} />`
  if (isNumber(type)) return html`<input ...${control} type="number" step=${type === 'integer' ? 1 : 'any'} min=${schema.minimum} max=${schema.maximum} placeholder=${placeholder} value=${value ?? ''} onInput=${(event: Event) => onChange(textOf(event) === '' ? undefined : Number(textOf(event)))} />`
  if (type === 'array' && takesLines(schema.items ?? {})) return html`<${LinesInput} value=${value} onChange=${onChange} control=${control} numbers=${isNumber(typeOf(schema.items ?? {}))} />`
  if (type !== 'string') return html`<${JsonInput} value=${value} onChange=${onChange} control=${control} placeholder=${placeholder} />`
  const secret = schema.writeOnly === true
  return html`<input ...${control} type=${secret ? 'password' : 'text'} autocomplete=${secret ? 'new-password' : 'off'} spellcheck=${false} minlength=${schema.minLength} maxlength=${schema.maxLength} placeholder=${placeholder} value=${value ?? ''} onInput=${(event: Event) => onChange(textOf(event) === '' ? undefined : textOf(event))} />`
}

function Choice ({ options, value, onChange, control, placeholder }: InputProps & { readonly options: readonly unknown[], readonly placeholder: string | undefined }): VNode {
  const none = placeholder === undefined ? '' : `${placeholder === '' ? 'none' : placeholder} (default)`
  return html`<select ...${control} onChange=${(event: Event) => onChange(options.find(one => shown(one) === textOf(event)))}>
    ${(control.required === undefined || value === undefined) && html`<option value="" selected=${value === undefined}>${none}</option>`}
    ${options.map(one => html`<option value=${shown(one)} selected=${one === value}>${shown(one)}</option>`)}
  </select>`
}

function isNumber (type: string | undefined): boolean {
  return type === 'number' || type === 'integer'
}

/** A list, one entry a line. Empty lines are kept while it is typed, and are no entries. */
function LinesInput ({ value, onChange, control, numbers }: { readonly value: unknown, readonly onChange: (value: unknown) => void, readonly control: Control, readonly numbers: boolean }): VNode {
  const [typed, setTyped] = useState((value as readonly unknown[] | undefined)?.join('\n') ?? '')
  const read = (text: string): void => {
    setTyped(text)
    const lines = text.split('\n').map(line => line.trim()).filter(line => line !== '')
    // What is no number stays a text, which the check then refuses.
    onChange(lines.length === 0 ? undefined : numbers ? lines.map(line => Number.isFinite(Number(line)) ? Number(line) : line) : lines)
  }
  return html`<textarea ...${control} rows="3" spellcheck=${false} value=${typed} onInput=${(event: Event) => read((event.target as HTMLTextAreaElement).value)} />`
}

/** Anything that has no input of its own, as JSON. What cannot be read is handed on as the text that it is, which the check refuses. */
function JsonInput ({ value, onChange, control, placeholder }: { readonly value: unknown, readonly onChange: (value: unknown) => void, readonly control: Control, readonly placeholder: string | undefined }): VNode {
  const [typed, setTyped] = useState(value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value, null, 2))
  const read = (text: string): void => {
    setTyped(text)
    onChange(text.trim() === '' ? undefined : parsed(text))
  }
  return html`<textarea ...${control} rows="4" class="mono" spellcheck=${false} placeholder=${placeholder ?? 'JSON'} value=${typed} onInput=${(event: Event) => read((event.target as HTMLTextAreaElement).value)} />`
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** What is wrong with the values, by path, as far as the page can tell; the platform checks again. */
export function checkValues (schema: FieldSchema, values: Values, path = ''): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const value = values[name]
    const required = schema.required?.includes(name) === true && field.default === undefined
    if (field.properties !== undefined) {
      if (value !== undefined || required) Object.assign(found, checkValues(field, (value ?? {}) as Values, `${path}${name}.`))
      continue
    }
    const wrong = value === undefined || value === '' ? required ? 'This is required.' : undefined : wrongOf(field, value)
    if (wrong !== undefined) found[`${path}${name}`] = wrong
  }
  return found
}

function wrongOf (schema: FieldSchema, value: unknown): string | undefined {
  // What a variable holds is known to the platform only.
  if (isVariable(value)) return undefined
  return wrongType(schema, value) ?? outOfBounds(schema, value)
}

function wrongType (schema: FieldSchema, value: unknown): string | undefined {
  const type = typeOf(schema)
  if (type === 'object' && (typeof value !== 'object' || Array.isArray(value))) return 'This is no JSON object, such as { "name": "value" }.'
  if (type === 'array' && !Array.isArray(value)) return 'This is no JSON list, such as ["a", "b"].'
  if (Array.isArray(value) && isNumber(typeOf(schema.items ?? {})) && value.some(one => typeof one !== 'number')) return 'Only numbers, one a line.'
  return undefined
}

function outOfBounds ({ pattern, minimum, maximum, examples }: FieldSchema, value: unknown): string | undefined {
  if (typeof value === 'string' && pattern !== undefined && !new RegExp(pattern, 'u').test(value)) return Array.isArray(examples) && examples.length > 0 ? `It must look like ${shown(examples[0])}.` : `It must match ${pattern}.`
  if (typeof value === 'number' && minimum !== undefined && value < minimum) return `It must be ${minimum} or more.`
  if (typeof value === 'number' && maximum !== undefined && value > maximum) return `It must be ${maximum} or less.`
  return undefined
}

/** `${NAME}` or `${NAME:default}`, as files have it. */
function isVariable (value: unknown): boolean {
  return typeof value === 'string' && /\$\{[A-Za-z_]\w*(?::[^}]*)?\}/.test(value)
}

/** The problems of an answer by the path of the field that they are about; JSON pointers (`body/options/host`) and dots both. */
export function errorsOf (problem: Problem | undefined): Record<string, string> {
  return Object.fromEntries((problem?.problems ?? []).map(({ path = '', message }) => [path.replace(/^body\/?/, '').replaceAll('/', '.'), message]))
}

function withValue (values: Values, name: string, value: unknown): Values {
  const { [name]: _, ...rest } = values
  return value === undefined ? rest : { ...rest, [name]: value }
}

function typeOf ({ type, enum: options }: FieldSchema): string | undefined {
  const one = Array.isArray(type) ? type.find(name => name !== 'null') : type
  return (one as string | undefined) ?? (options === undefined ? undefined : 'string')
}

const abbreviations = new Set(['url', 'id', 'ids', 'http', 'tls', 'sql', 'csv', 'json', 'api', 's3'])

/** `base_url` as `Base URL`. */
function titleOf (name: string, { title }: FieldSchema): string {
  const words = name.split('_').map(word => abbreviations.has(word) ? word.toUpperCase().replace('IDS', 'IDs') : word).join(' ')
  return title ?? words.charAt(0).toUpperCase() + words.slice(1)
}

function hintOf (schema: FieldSchema): string {
  const { description = '', type, enum: options, items = {} } = schema
  const how = options !== undefined ? '' : type === 'array' ? takesLines(items) ? 'One a line.' : 'As JSON.' : type === 'object' ? 'As JSON.' : ''
  return `${description} ${how}`.trim()
}

/** Whether entries of a list are typed one a line. */
function takesLines (items: FieldSchema): boolean {
  const type = typeOf(items)
  return type === undefined || type === 'string' || isNumber(type)
}

function shown (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
