// Whether a text has a place that fits a regular expression, in time that grows with the text and never with the ways to
// fit it: `^(a|aa)+$` takes no longer than `^a+$`. It reads what the engine reads in the same way (RE2), so both agree.
//
//   text of the pattern ▶ tree ▶ program: set of code points, then where to go; or two ways; or start, end, fits
//   a state is all places of the program that the text so far can have led to; states are made when they are first needed
//
// A state has one successor for each class: code points that no set of the pattern tells apart.

import { parsePattern } from './pattern-tree.ts'
import type { Node, Ranges } from './pattern-tree.ts'

/** Each copy of what {least,most} repeats counts, so it also bounds the time for a letter. */
export const PATTERN_STEPS_MAX = 1000
/** Beyond it they are forgotten and made anew. */
const STATES_MAX = 1000

type Step = { readonly op: 'set', readonly ranges: Ranges, readonly next: number }
  | { readonly op: 'either', one: number, readonly other: number }
  | { readonly op: 'start' | 'end', readonly next: number }
  | { readonly op: 'fits' }

interface State {
  /** Steps that wait for a letter, in ascending order. */
  readonly places: readonly number[]
  readonly fits: boolean
  readonly fitsAtEnd: boolean
  readonly successors: Array<State | undefined>
}

export class LinearPattern {
  readonly #steps: Step[] = []
  readonly #entry: number
  /** Where a class of code points begins, in ascending order. */
  readonly #bounds: readonly number[]
  readonly #classes = new Uint16Array(128)
  /** By step and class: whether its set has that class. */
  readonly #sets: ReadonlyArray<Uint8Array | undefined>
  readonly #states = new Map<string, State>()
  #first: State | undefined

  /** Throws a plain Error that says what is wrong; the caller knows the place. */
  constructor (pattern: string) {
    const tree = parsePattern(pattern)
    this.#entry = this.#emit(tree, this.#push({ op: 'fits' }))
    const bounds = new Set([0])
    for (const step of this.#steps) if (step.op === 'set') for (const [from, to] of step.ranges) bounds.add(from).add(to + 1)
    this.#bounds = [...bounds].sort((a, b) => a - b)
    this.#sets = this.#steps.map(step => step.op === 'set' ? Uint8Array.from(this.#bounds, point => Number(step.ranges.some(([from, to]) => from <= point && point <= to))) : undefined)
    for (let point = 0; point < 128; point++) this.#classes[point] = this.#search(point)
  }

  test (text: string): boolean {
    let state = this.#first ??= this.#state([], true)
    for (let i = 0; i < text.length && !state.fits; i++) {
      const point = text.codePointAt(i) as number
      if (point > 0xffff) i++
      const kind = point < 128 ? this.#classes[point] as number : this.#search(point)
      state = state.successors[kind] ??= this.#successor(state, kind)
    }
    return state.fits || state.fitsAtEnd
  }

  #successor (state: State, kind: number): State {
    return this.#state(state.places.flatMap(place => {
      const step = this.#steps[place]
      return step?.op === 'set' && this.#sets[place]?.[kind] === 1 ? [step.next] : []
    }), false)
  }

  /** The text may also begin to fit here, so the entry is always among the places. */
  #state (reached: readonly number[], atStart: boolean): State {
    const from = [...reached, this.#entry]
    const { places, fits } = this.#follow(from, { atStart, atEnd: false })
    const key = places.join()
    const known = atStart ? undefined : this.#states.get(key)
    if (known !== undefined && known.fits === fits) return known
    const state: State = { places, fits, fitsAtEnd: this.#follow(from, { atStart, atEnd: true }).fits, successors: [] }
    if (atStart) return state
    if (this.#states.size >= STATES_MAX) {
      this.#states.clear()
      this.#first = undefined
    }
    this.#states.set(key, state)
    return state
  }

  /** The steps that wait for a letter, or for the end, and can be reached without a letter. */
  #follow (from: readonly number[], { atStart, atEnd }: { readonly atStart: boolean, readonly atEnd: boolean }): { readonly places: readonly number[], readonly fits: boolean } {
    const seen = new Uint8Array(this.#steps.length)
    const places: number[] = []
    const open = [...from]
    let fits = false
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (seen[place] === 1) continue
      seen[place] = 1
      const step = this.#steps[place] as Step
      switch (step.op) {
        case 'set': places.push(place); break
        case 'either': open.push(step.one, step.other); break
        case 'start': if (atStart) open.push(step.next); break
        case 'end':
          places.push(place)
          if (atEnd) open.push(step.next)
          break
        case 'fits': fits = true
      }
    }
    return { places: places.sort((a, b) => a - b), fits }
  }

  /** Writes the steps of a node from its end to its beginning; returns where it begins. */
  #emit (node: Node, next: number): number {
    switch (node.kind) {
      case 'set': return this.#push({ op: 'set', ranges: node.ranges, next })
      case 'start':
      case 'end': return this.#push({ op: node.kind, next })
      case 'sequence': return node.nodes.reduceRight((next, one) => this.#emit(one, next), next)
      case 'either': {
        const entries = node.nodes.map(one => this.#emit(one, next))
        return entries.reduceRight((other, one) => this.#push({ op: 'either', one, other }))
      }
      case 'repeat': {
        let entry = next
        if (node.most === Infinity) {
          const loop: Step = { op: 'either', one: next, other: next }
          entry = this.#push(loop)
          loop.one = this.#emit(node.node, entry)
        } else {
          for (let i = node.least; i < node.most; i++) entry = this.#push({ op: 'either', one: this.#emit(node.node, entry), other: next })
        }
        for (let i = 0, before = -1; i < node.least && entry !== before; i++) {
          // What has no steps, such as (), is done with at once.
          before = entry
          entry = this.#emit(node.node, entry)
        }
        return entry
      }
    }
  }

  #push (step: Step): number {
    if (this.#steps.length >= PATTERN_STEPS_MAX) throw new Error(`repeats so much that it has more than ${PATTERN_STEPS_MAX} steps; write it with smaller numbers in { }`)
    return this.#steps.push(step) - 1
  }

  /** The class of a code point. */
  #search (point: number): number {
    let [low, high] = [0, this.#bounds.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#bounds[middle] as number <= point) low = middle
      else high = middle - 1
    }
    return low
  }
}
