// Light, dark, or as the system has it.

import { computed, effect, signal } from './html.ts'

export type ThemeChoice = 'auto' | 'light' | 'dark'

const KEY = 'twolane.theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const system = signal(dark.matches)
const kept = localStorage.getItem(KEY)

export const choice = signal<ThemeChoice>(kept === 'light' || kept === 'dark' ? kept : 'auto')
/** What is shown now. */
export const theme = computed(() => choice.value === 'auto' ? system.value ? 'dark' : 'light' : choice.value)

dark.addEventListener('change', () => { system.value = dark.matches })
effect(() => {
  document.documentElement.dataset['theme'] = theme.value
  localStorage.setItem(KEY, choice.value)
})
