// Parts of the form of a schedule: its fields, the choice between expression and interval, and the preview.
import type { Definition } from '../api/api-client.ts'
import { asGroup, asText } from '../form/drafts.ts'
import type { Faults } from '../form/field-values.ts'
import { FormLeaf, fieldId } from '../form/form-field.tsx'
import type { LeafField } from '../form/schema-fields.ts'
import type { Page } from '../page.ts'
import type { ReadSchedule, ScheduleState } from './schedule-fields.ts'
import { TickPreview } from './tick-preview.tsx'

/** Begins the ids of the fields. */
export const SCHEDULE_FORM = 'schedule'

export interface LeavesProps {
  fields: LeafField[]
  state: ScheduleState
  faults: Faults
  onText: (name: string, text: string) => void
}

export function Leaves({ fields, state, faults, onText }: LeavesProps) {
  const texts = asGroup(state.draft).members
  return (
    <div class="schedule-fields">
      {fields.map((field) => (
        <FormLeaf
          key={field.name}
          id={fieldId(SCHEDULE_FORM, field.name)}
          field={field}
          text={asText(texts[field.name])}
          fault={faults[field.name] ?? ''}
          onText={(text) => onText(field.name, text)}
        />
      ))}
    </div>
  )
}

export function TimesChoice({ isCron, onChoose }: { isCron: boolean; onChoose: (isCron: boolean) => void }) {
  return (
    <fieldset class="picker">
      <legend class="visually-hidden">Times</legend>
      {[true, false].map((offered) => (
        <label key={String(offered)} class="picker-choice">
          <input type="radio" name="times" checked={isCron === offered} onChange={() => onChoose(offered)} />
          <span>{offered ? 'Cron expression' : 'Interval'}</span>
        </label>
      ))}
    </fieldset>
  )
}

export interface PreviewProps {
  page: Page
  isCron: boolean
  read: ReadSchedule
  definition: Definition | undefined
}

/** The next ticks of the schedule in the form, as soon as its fields are valid. */
export function Preview({ page, isCron, read: { timing, faults }, definition }: PreviewProps) {
  const isValid = Object.keys(faults).every((path) => path === 'name')
  if (!isValid || !definition) return <p class="quiet">They are shown as soon as the times are valid.</p>
  // The API checks the input too, which may not be complete yet. The ticks do not depend on it.
  const schedule = { ...timing, input: definition.example }
  return <TickPreview page={page} schedule={schedule} zone={isCron ? (timing.time_zone ?? null) : null} />
}
