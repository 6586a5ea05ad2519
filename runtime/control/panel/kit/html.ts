// Templates and hooks of all components, from one place.

import htm from 'htm'
import { h } from 'preact'
import type { VNode } from 'preact'

/** A template as a virtual node: `html\`<${Table} rows=${rows} />\``. Values are always text, never markup. */
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => VNode = htm.bind(h) as never

export { Component, Fragment, render } from 'preact'
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
export { batch, computed, effect, signal, untracked } from '@preact/signals'
export type { ReadonlySignal, Signal } from '@preact/signals'
export type { ComponentChildren, VNode } from 'preact'

/** Joins the names of classes; those that are false are left out. */
export function classes (...names: ReadonlyArray<string | false | undefined>): string {
  return names.filter(name => name !== false && name !== undefined && name !== '').join(' ')
}
