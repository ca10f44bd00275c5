// Menu of the inputs that were last submitted with a form. A choice fills the form with that input.
import { useState } from 'preact/hooks'
import { formatTimestamp } from '../parts/durations.ts'
import { stringifyJson } from '../parts/exact-json.ts'
import { type LastInput, lastInputs } from './last-inputs.ts'

export interface LastInputsMenuProps {
  definitionName: string
  onChoose: (input: LastInput) => void
}

const MAX_CHARACTERS = 60

/** Renders the menu; nothing if no inputs of this definition are stored. */
export function LastInputsMenu({ definitionName, onChoose }: LastInputsMenuProps) {
  const [, setRound] = useState(0)
  const inputs = lastInputs.of(definitionName)
  if (inputs.length === 0) return null
  return (
    <div class="last-inputs">
      <label class="visually-hidden" for="last-inputs">
        Last inputs
      </label>
      <select
        id="last-inputs"
        onChange={(event: Event) => {
          const { target } = event
          if (!(target instanceof HTMLSelectElement)) return
          const chosen = inputs[Number(target.value)]
          target.value = ''
          if (chosen) onChoose(chosen)
        }}
      >
        <option value="">Last inputs …</option>
        {inputs.map((input, index) => (
          <option key={input.at} value={String(index)}>
            {`${formatTimestamp(input.at)}  ${shortened(stringifyJson(input.input))}`}
          </option>
        ))}
      </select>
      <button
        type="button"
        class="button is-quiet is-small"
        aria-label="Clear the last inputs of this task"
        onClick={() => {
          lastInputs.clear(definitionName)
          setRound((round) => round + 1)
        }}
      >
        Clear
      </button>
    </div>
  )
}

function shortened(text: string): string {
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text
}
