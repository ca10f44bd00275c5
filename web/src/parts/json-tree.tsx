// Shows a JSON value of any size as a tree. Objects and arrays can be collapsed, long strings and arrays are
// shortened with a button that shows more, and numbers keep all digits.
import { useState } from 'preact/hooks'
import { CopyButton } from './copy-button.tsx'
import { ExactNumber, isRecord, stringifyJson } from './exact-json.ts'

export interface JsonTreeProps {
  /** Name of the value, used in the label of the copy button. */
  label: string
  value: unknown
}

// A tree with at most this many values, nested ones included, is expanded at first: it fits onto a screen.
const OPEN_MEMBERS = 60
// Number of members that an expanded object or array shows at first, and that each click on "Show more" adds.
// Browsers render a hundred rows without a noticeable delay.
const MORE_MEMBERS = 100
// Number of characters of a long string that are shown at first.
const MORE_CHARACTERS = 1_000

export function JsonTree({ label, value }: JsonTreeProps) {
  return (
    <div class="json">
      <div class="json-copy">
        <CopyButton text={() => stringifyJson(value, 2)} label={`Copy the ${label.toLowerCase()} as JSON`} />
      </div>
      <Node value={value} path="" isOpen={isSmall(value)} />
    </div>
  )
}

interface NodeProps {
  /** Name of a member of an object; undefined for the items of an array and for the root. */
  name?: string
  value: unknown
  /** Path of the value in the tree, e.g. '/items/0'; '' for the root, which is always expanded at first. */
  path: string
  isOpen?: boolean
}

function Node({ name, value, path, isOpen = false }: NodeProps) {
  if (typeof value === 'object' && value !== null && !(value instanceof ExactNumber))
    return <Branch name={name} value={value} path={path} isOpen={isOpen} />
  return (
    <div class="json-row">
      <Name name={name} />
      <Leaf value={value} />
    </div>
  )
}

function Name({ name }: { name?: string }) {
  return name === undefined ? null : (
    <>
      <span class="json-name">{name}</span>
      <span class="json-mark">: </span>
    </>
  )
}

function Branch({ name, value, path, isOpen: isOpenAtFirst }: NodeProps & { value: object }) {
  const [isOpen, setIsOpen] = useState(isOpenAtFirst || path === '')
  const [shown, setShown] = useState(MORE_MEMBERS)
  const isList = Array.isArray(value)
  const members: [string, unknown][] = Object.entries(value)
  const [open, close] = isList ? '[]' : '{}'
  const count = countOf(members.length, isList)
  if (members.length === 0) {
    return (
      <div class="json-row">
        <Name name={name} />
        <span class="json-mark">{`${open}${close}`}</span>
      </div>
    )
  }
  return (
    <div class="json-branch">
      <button
        type="button"
        class="json-toggle"
        aria-expanded={isOpen ? 'true' : 'false'}
        onClick={() => setIsOpen(!isOpen)}
      >
        <Name name={name} />
        <span class="json-mark">{open}</span>
        {!isOpen && <span class="json-mark">{` … ${close}`}</span>} <span class="json-count">{count}</span>
      </button>
      {isOpen && (
        <div class="json-members">
          {members.slice(0, shown).map(([memberName, member]) => (
            <Node
              key={memberName}
              name={isList ? undefined : memberName}
              value={member}
              path={`${path}/${memberName}`}
              isOpen={isOpenAtFirst}
            />
          ))}
          {members.length > shown && (
            <button
              type="button"
              class="link-button json-more"
              onClick={() => setShown(shown + MORE_MEMBERS)}
            >
              {`Show ${Math.min(MORE_MEMBERS, members.length - shown)} more of ${members.length}`}
            </button>
          )}
        </div>
      )}
      {isOpen && <div class="json-mark">{close}</div>}
    </div>
  )
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value === 'string') return <Text text={value} />
  const text = value instanceof ExactNumber ? value.text : String(value)
  return (
    <span class={typeof value === 'boolean' || value === null ? 'json-word' : 'json-number'}>{text}</span>
  )
}

function Text({ text }: { text: string }) {
  const [shown, setShown] = useState(MORE_CHARACTERS)
  const isCut = text.length > shown
  return (
    <>
      <span class="json-text">
        {quoted(isCut ? text.slice(0, shown) : text)}
        {isCut && '…'}
      </span>
      {isCut && (
        <button
          type="button"
          class="link-button json-more"
          onClick={() => setShown(shown < 20 * MORE_CHARACTERS ? 20 * MORE_CHARACTERS : text.length)}
        >
          {`Show more of ${text.length.toLocaleString()} characters`}
        </button>
      )}
    </>
  )
}

/** Returns the text in quotes, escaped as in JSON except for line breaks and quotes. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/\\(.)/g, (whole, character: string) =>
    character === 'n' ? '\n' : character === '"' ? '"' : whole,
  )
}

function countOf(count: number, isList: boolean): string {
  const [one, many] = isList ? ['item', 'items'] : ['member', 'members']
  return `${count.toLocaleString()} ${count === 1 ? one : many}`
}

function isSmall(value: unknown): boolean {
  return countMembers(value, OPEN_MEMBERS) <= OPEN_MEMBERS
}

/** Counts a value and all values nested in it. Stops early when the count exceeds `max`. */
function countMembers(value: unknown, max: number): number {
  if (!Array.isArray(value) && !isRecord(value)) return 1
  let count = 1
  for (const member of Object.values(value)) {
    count += countMembers(member, max - count)
    if (count > max) break
  }
  return count
}
