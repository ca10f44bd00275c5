// What somebody has typed into a form so far: texts, in the shape of its fields. Also what is not right yet is kept.
import { isRecord } from '../api/api-answer.ts'
import type { Json } from '../api/api-client.ts'
import { type Field, isLeaf, textOf } from './form-fields.ts'

/** The text of a leaf; a box that is ticked holds "true". */
export type Draft = string | GroupDraft | ListDraft

export interface GroupDraft {
  members: Record<string, Draft>
  /** What the schema does not know, and somebody wrote as JSON all the same. */
  others: Record<string, Json>
}

export interface ListDraft {
  items: ItemDraft[]
}

export interface ItemDraft {
  /** Stays with the item wherever it is moved. */
  key: number
  /** Of an item of a record. */
  name: string
  draft: Draft
}

let lastKey = 0

export function newItem(draft: Draft, name = ''): ItemDraft {
  lastKey += 1
  return { key: lastKey, name, draft }
}

export function emptyDraft(field: Field): Draft {
  if (isLeaf(field)) return field.initial
  if (field.kind === 'group') {
    const members = field.members.map((member) => [member.name, emptyDraft(member)] as const)
    return { members: Object.fromEntries(members), others: {} }
  }
  // One that may be left out begins empty.
  const length = field.isRequired ? field.minItems : 0
  return { items: Array.from({ length }, () => newItem(emptyDraft(field.item))) }
}

/** How a value stands in the form; undefined leaves a field as it is at first. */
export function draftOf(field: Field, value: unknown): Draft {
  if (value === undefined) return emptyDraft(field)
  if (isLeaf(field)) return textOf(field.kind, value)
  if (field.kind === 'group') {
    const given = isRecord(value) ? value : {}
    const known = new Set(field.members.map(({ name }) => name))
    const others = Object.entries(given).filter(([name]) => !known.has(name))
    const members = field.members.map((member) => {
      // What was left out stays out, whatever its default: that has its say when it is submitted.
      const draft = Object.hasOwn(given, member.name)
        ? draftOf(member, given[member.name])
        : blankDraft(member)
      return [member.name, draft] as const
    })
    // It came as JSON.
    return {
      members: Object.fromEntries(members),
      others: Object.fromEntries(others) as Record<string, Json>,
    }
  }
  const entries = Array.isArray(value) ? value.map((item) => ['', item] as const) : entriesOf(value)
  return { items: entries.map(([name, item]) => newItem(draftOf(field.item, item), name)) }
}

/** A field without any text, and without its default. */
function blankDraft(field: Field): Draft {
  if (isLeaf(field)) return field.kind === 'boolean' ? field.initial : ''
  if (field.kind !== 'group') return { items: [] }
  const members = field.members.map((member) => [member.name, blankDraft(member)] as const)
  return { members: Object.fromEntries(members), others: {} }
}

function entriesOf(value: unknown): [string, unknown][] {
  return isRecord(value) ? Object.entries(value) : []
}

/** Whether there is nothing in it: then an optional part of a form is left out. */
export function isBlank(field: Field, draft: Draft): boolean {
  if (isLeaf(field)) return draft === '' || draft === field.initial
  if (field.kind === 'group') {
    const { members, others } = asGroup(draft)
    return (
      Object.keys(others).length === 0 &&
      field.members.every((member) => isBlank(member, members[member.name] ?? ''))
    )
  }
  return asList(draft).items.length === 0
}

export function asText(draft: Draft | undefined): string {
  return typeof draft === 'string' ? draft : ''
}

export function asGroup(draft: Draft | undefined): GroupDraft {
  return typeof draft === 'object' && 'members' in draft ? draft : { members: {}, others: {} }
}

export function asList(draft: Draft | undefined): ListDraft {
  return typeof draft === 'object' && 'items' in draft ? draft : { items: [] }
}
