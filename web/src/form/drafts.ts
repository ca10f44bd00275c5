// A draft contains the texts that a person has entered into a form, nested like the fields of the form. The
// texts can be invalid.
import type { Json } from '../api/api-client.ts'
import { isRecord } from '../parts/exact-json.ts'
import { type Field, isLeaf, textOf } from './schema-fields.ts'

/** Draft of one field: a text ("true" or "false" for a checkbox), or the drafts of its nested fields. */
export type Draft = string | GroupDraft | ListDraft

export interface GroupDraft {
  members: Record<string, Draft>
  /** Members of a JSON value that the schema does not list. They have no field, but are submitted. */
  others: Record<string, Json>
}

export interface ListDraft {
  items: ItemDraft[]
}

export interface ItemDraft {
  /** Unique key of the item for rendering. It stays the same when the item moves to another position. */
  key: number
  /** Member name of the item in a record (an object with arbitrary member names); empty in a list. */
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
  // A required list starts with its minimum number of items. An optional list starts empty.
  const length = field.isRequired ? field.minItems : 0
  return { items: Array.from({ length }, () => newItem(emptyDraft(field.item))) }
}

/** Returns the draft that represents a JSON value; for `undefined` the initial draft with default values. */
export function draftOf(field: Field, value: unknown): Draft {
  if (value === undefined) return emptyDraft(field)
  if (isLeaf(field)) return textOf(field.kind, value)
  if (field.kind === 'group') {
    const given = isRecord(value) ? value : {}
    const known = new Set(field.members.map(({ name }) => name))
    const others = Object.entries(given).filter(([name]) => !known.has(name))
    const members = field.members.map((member) => {
      // A member that the value lacks stays empty in the form. It is then omitted from the input, and the API
      // applies its default.
      const draft = Object.hasOwn(given, member.name)
        ? draftOf(member, given[member.name])
        : blankDraft(member)
      return [member.name, draft] as const
    })
    return {
      members: Object.fromEntries(members),
      // The type assertion is safe, because the value was parsed from JSON.
      others: Object.fromEntries(others) as Record<string, Json>,
    }
  }
  const entries = Array.isArray(value) ? value.map((item) => ['', item] as const) : entriesOf(value)
  return { items: entries.map(([name, item]) => newItem(draftOf(field.item, item), name)) }
}

/** Returns an empty draft, without the schema's defaults. Checkboxes keep theirs: they cannot be empty. */
function blankDraft(field: Field): Draft {
  if (isLeaf(field)) return field.kind === 'boolean' ? field.initial : ''
  if (field.kind !== 'group') return { items: [] }
  const members = field.members.map((member) => [member.name, blankDraft(member)] as const)
  return { members: Object.fromEntries(members), others: {} }
}

function entriesOf(value: unknown): [string, unknown][] {
  return isRecord(value) ? Object.entries(value) : []
}

/**
 * Checks whether a person has entered nothing: all texts are empty or the schema's defaults, and lists have
 * no items. Blank optional groups and lists are omitted from the input.
 */
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
