// Shows a JSON value in a readable form: an object as a list of titles and values, strings without quotes,
// other values as JSON.
import { wordsOf } from '../form/schema-fields.ts'
import { ExactNumber, isRecord, stringifyJson } from '../parts/exact-json.ts'

/** @param titles `properties` of the JSON Schema that describes the value: its titles label the members */
export function JsonValue({ value, titles }: { value: unknown; titles?: Record<string, unknown> }) {
  if (!isRecord(value) || value instanceof ExactNumber || Object.keys(value).length === 0)
    return <Plain value={value} />
  return (
    <dl class="members">
      {Object.entries(value).map(([name, member]) => (
        <div key={name} class="member">
          <dt>{titleOf(name, titles)}</dt>
          <dd>
            <Plain value={member} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function Plain({ value }: { value: unknown }) {
  if (typeof value === 'string' && value !== '') return <span class="value-text">{value}</span>
  if (isListOfTexts(value)) {
    return (
      <ul class="value-list">
        {value.map((text, index) => (
          <li key={`${index}-${text}`}>{text}</li>
        ))}
      </ul>
    )
  }
  if (Array.isArray(value) && value.length === 0) return <span class="quiet">none</span>
  if (typeof value === 'object' && value !== null && !(value instanceof ExactNumber))
    return <pre class="value-json">{stringifyJson(value, 2)}</pre>
  return <code class="value-plain">{stringifyJson(value)}</code>
}

function isListOfTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => typeof item === 'string' && item.length < 60)
  )
}

function titleOf(name: string, titles: Record<string, unknown> = {}): string {
  const node = titles[name]
  return isRecord(node) && typeof node.title === 'string' ? node.title : wordsOf(name)
}
