// Renders nested fields: the members of an object, and the items of a list or of a record (an object with
// arbitrary member names).
import { useRef } from 'preact/hooks'
import { Icon } from '../parts/icons.tsx'
import { asGroup, asList, asText, type Draft, emptyDraft, type ItemDraft, newItem } from './drafts.ts'
import { type Faults, itemOf, stepInto } from './field-values.ts'
import { FieldFault, FieldLabel, FormLeaf, fieldId, textIn } from './form-field.tsx'
import { type Field, type GroupField, isLeaf, type ListField } from './schema-fields.ts'

export interface FormPartProps<F extends Field> {
  /** Name of the form. The ids of its elements contain it. */
  formName: string
  field: F
  draft: Draft
  /** Path of the field in the form: member names and item indexes, separated by slashes. */
  path: string
  faults: Faults
  /** Called with the new draft of this field, and the path of the nested field that has changed. */
  onDraft: (draft: Draft, path: string) => void
}

export function FormPart({ field, ...props }: FormPartProps<Field>) {
  const { formName, draft, path, faults, onDraft } = props
  if (field.kind === 'group') return <FormGroup {...props} field={field} />
  if (!isLeaf(field)) return <FormList {...props} field={field} />
  return (
    <FormLeaf
      id={fieldId(formName, path)}
      field={field}
      text={asText(draft)}
      fault={faults[path] ?? ''}
      onText={(text) => onDraft(text, path)}
    />
  )
}

/** Renders the members of a group without a fieldset around them, for the outermost group of a form. */
export function FormMembers({ field, draft, path, onDraft, ...common }: FormPartProps<GroupField>) {
  const group = asGroup(draft)
  return (
    <>
      {field.members.map((member) => (
        <FormPart
          key={member.name}
          {...common}
          field={member}
          draft={group.members[member.name] ?? ''}
          path={stepInto(path, member.name)}
          onDraft={(changed, at) =>
            onDraft({ ...group, members: { ...group.members, [member.name]: changed } }, at)
          }
        />
      ))}
    </>
  )
}

function FormGroup(props: FormPartProps<GroupField>) {
  const { formName, field, path, faults } = props
  const id = fieldId(formName, path)
  return (
    <Frame id={id} field={field} fault={faults[path] ?? ''}>
      <FormMembers {...props} />
    </Frame>
  )
}

function Frame({
  id,
  field,
  fault,
  children,
}: {
  id: string
  field: Field
  fault: string
  children: unknown
}) {
  return (
    <fieldset class="field-group" id={id} tabIndex={-1} aria-describedby={fault ? `${id}-fault` : undefined}>
      <legend class="field-label">
        <FieldLabel label={field.label} isRequired={mustBeFilled(field)} />
      </legend>
      {field.description && <p class="field-hint">{field.description}</p>}
      {children}
      <FieldFault id={id} fault={fault} />
    </fieldset>
  )
}

function FormList({ field, draft, path, onDraft, ...common }: FormPartProps<ListField>) {
  const { formName, faults } = common
  const { items } = asList(draft)
  const id = fieldId(formName, path)
  const list = useRef<HTMLOListElement>(null)
  const change = (items: ItemDraft[]) => onDraft({ items }, path)
  return (
    <Frame id={id} field={field} fault={faults[path] ?? ''}>
      <ol class="field-items" ref={list}>
        {items.map((item, index) => {
          const itemPath = stepInto(path, index)
          const number = index + 1
          const replace = (changed: Partial<ItemDraft>, at: string) =>
            onDraft({ items: items.with(index, { ...item, ...changed }) }, at)
          return (
            <li key={item.key} class={`field-item ${field.kind === 'record' ? 'is-record' : ''}`}>
              {field.kind === 'record' && (
                <div class="field">
                  <label class="field-label" for={`${id}-${index}-name`}>
                    {`Name ${number}`}
                  </label>
                  <input
                    id={`${id}-${index}-name`}
                    type="text"
                    autocomplete="off"
                    value={item.name}
                    onInput={(event: Event) => replace({ name: textIn(event) }, itemPath)}
                  />
                </div>
              )}
              <FormPart
                {...common}
                field={itemOf(field, index)}
                draft={item.draft}
                path={itemPath}
                onDraft={(changed, at) => replace({ draft: changed }, at)}
              />
              <div class="field-item-buttons">
                {field.kind === 'list' && (
                  <>
                    <ItemButton
                      icon="up"
                      label={`Move item ${number} up`}
                      onClick={() => change(moved(items, index, -1))}
                    />
                    <ItemButton
                      icon="down"
                      label={`Move item ${number} down`}
                      onClick={() => change(moved(items, index, 1))}
                    />
                  </>
                )}
                <ItemButton
                  icon="remove"
                  label={`Remove item ${number}`}
                  onClick={() => change(items.toSpliced(index, 1))}
                />
              </div>
            </li>
          )
        })}
      </ol>
      <button
        type="button"
        class="button is-small field-add"
        id={`${id}-add`}
        aria-disabled={items.length >= field.maxItems ? 'true' : 'false'}
        onClick={() => {
          if (items.length >= field.maxItems) return
          change([...items, newItem(emptyDraft(field.item))])
          // Focuses the new item in the next frame, because it is not rendered before.
          requestAnimationFrame(() => firstControlIn(list.current?.lastElementChild)?.focus())
        }}
      >
        {`Add to ${field.label.toLowerCase()}`}
      </button>
    </Frame>
  )
}

/** Checks whether to mark a field as required. A required list that may be empty is not marked. */
function mustBeFilled(field: Field): boolean {
  const canBeEmpty = (field.kind === 'list' || field.kind === 'record') && field.minItems === 0
  return field.isRequired && !field.isNullable && !canBeEmpty
}

function ItemButton({
  icon,
  label,
  onClick,
}: {
  icon: 'up' | 'down' | 'remove'
  label: string
  onClick: () => void
}) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  )
}

function moved(items: ItemDraft[], index: number, by: -1 | 1): ItemDraft[] {
  const item = items[index]
  if (!item || index + by < 0 || index + by >= items.length) return items
  return items.toSpliced(index, 1).toSpliced(index + by, 0, item)
}

function firstControlIn(element: Element | null | undefined): HTMLElement | null {
  return element?.querySelector<HTMLElement>('input, select, textarea') ?? null
}
