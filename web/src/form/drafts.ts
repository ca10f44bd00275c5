// Drafts: the texts in a form, in the structure of its fields. A draft can be invalid.
import type { Json } from '../api/api-client.ts'
import { isRecord } from '../parts/exact-json.ts'
import { type Field, isLeaf, textOf } from './schema-fields.ts'

/** The draft of a leaf field is its text; that of a checkbox is "true" or "false". */
export type Draft = string | GroupDraft | ListDraft

export interface GroupDraft {
  members: Record<string, Draft>
  /** Members that were entered as JSON and are not in the schema. */
  others: Record<string, Json>
}

export interface ListDraft {
  items: ItemDraft[]
}

export interface ItemDraft {
  /** Identifies the item when it is moved. */
  key: number
  /** Member name of a record item; empty in a list. */
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
  // An optional list starts empty.
  const length = field.isRequired ? field.minItems : 0
  return { items: Array.from({ length }, () => newItem(emptyDraft(field.item))) }
}

/** Returns the draft of a value. `undefined` gives the initial draft. */
export function draftOf(field: Field, value: unknown): Draft {
  if (value === undefined) return emptyDraft(field)
  if (isLeaf(field)) return textOf(field.kind, value)
  if (field.kind === 'group') {
    const given = isRecord(value) ? value : {}
    const known = new Set(field.members.map(({ name }) => name))
    const others = Object.entries(given).filter(([name]) => !known.has(name))
    const members = field.members.map((member) => {
      // A missing member stays empty in the form. The API applies its default.
      const draft = Object.hasOwn(given, member.name)
        ? draftOf(member, given[member.name])
        : blankDraft(member)
      return [member.name, draft] as const
    })
    return {
      members: Object.fromEntries(members),
      // Parsed from JSON, so the values are Json.
      others: Object.fromEntries(others) as Record<string, Json>,
    }
  }
  const entries = Array.isArray(value) ? value.map((item) => ['', item] as const) : entriesOf(value)
  return { items: entries.map(([name, item]) => newItem(draftOf(field.item, item), name)) }
}

/** Returns an empty draft, without the default value of the field. */
function blankDraft(field: Field): Draft {
  if (isLeaf(field)) return field.kind === 'boolean' ? field.initial : ''
  if (field.kind !== 'group') return { items: [] }
  const members = field.members.map((member) => [member.name, blankDraft(member)] as const)
  return { members: Object.fromEntries(members), others: {} }
}

function entriesOf(value: unknown): [string, unknown][] {
  return isRecord(value) ? Object.entries(value) : []
}

/** Whether a draft is empty. Empty optional fields are omitted from the input. */
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
