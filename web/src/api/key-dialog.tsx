// Modal dialog in which a person enters the API key.
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Icon } from '../parts/icons.tsx'
import type { Access } from './access.ts'

export function KeyDialog({ access }: { access: Access }) {
  const { isDialogOpen, isKeyRequired } = access.state.value
  const dialog = useRef<HTMLDialogElement>(null)

  // Opens and closes the dialog in a layout effect, i.e. before the next frame. When the dialog closes, the
  // browser moves the focus back to the previous element; a later close could interrupt a person who already
  // types in another element.
  useLayoutEffect(() => {
    if (!isDialogOpen) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector('input')?.focus()
  }, [isDialogOpen])

  // The browser itself closes the dialog on Escape. Then `onClose` updates the state.
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="key-title" onClose={access.closeDialog}>
      {isDialogOpen && <KeyForm access={access} isKeyRequired={isKeyRequired} />}
    </dialog>
  )
}

function KeyForm({ access, isKeyRequired }: { access: Access; isKeyRequired: boolean }) {
  const [text, setText] = useState('')
  const [isReadable, setIsReadable] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const [isTrying, setIsTrying] = useState(false)
  const field = useRef<HTMLInputElement>(null)

  async function onSubmit(event: Event) {
    event.preventDefault()
    if (isTrying) return
    setIsTrying(true)
    const refusal = await access.submitKey(text)
    // After the API has accepted the key, the dialog is closed and this form removed, so the form's state no
    // longer needs an update.
    if (refusal === null) return
    setIsTrying(false)
    setFault(refusal)
    field.current?.select()
  }

  const isKeyInvalid = isKeyRequired && access.key.value !== null
  return (
    <form class="key-form" noValidate onSubmit={onSubmit} aria-busy={isTrying ? 'true' : 'false'}>
      <header class="key-head">
        <span class="key-mark">
          <Icon name="key" />
        </span>
        <div>
          <h2 id="key-title" class="panel-title">
            {isKeyRequired ? 'This API requires a key' : 'Use another key'}
          </h2>
          {isKeyInvalid && <p class="key-lead">The API no longer accepts the key of this tab.</p>}
        </div>
      </header>
      <div class="field">
        <label class="field-label" for="key">
          API key
        </label>
        <p id="key-hint" class="field-hint">
          Stored for this tab only; deleted when you close it.
        </p>
        <div class="key-field">
          <input
            ref={field}
            id="key"
            {...(isReadable ? { type: 'text' } : { type: 'password' })}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            required
            placeholder="wgl_…"
            value={text}
            aria-invalid={fault ? 'true' : undefined}
            aria-describedby={fault ? 'key-hint key-fault' : 'key-hint'}
            onInput={(event: Event) => {
              if (event.target instanceof HTMLInputElement) setText(event.target.value)
              setFault(null)
            }}
          />
          <button
            type="button"
            class="icon-button"
            aria-label="Show the key"
            aria-pressed={isReadable ? 'true' : 'false'}
            title={isReadable ? 'Hide the key' : 'Show the key'}
            onClick={() => setIsReadable(!isReadable)}
          >
            <Icon name={isReadable ? 'hide' : 'show'} />
          </button>
        </div>
        <div role="alert">
          {fault && (
            <p id="key-fault" class="field-fault">
              <Icon name="warning" />
              <span>{fault}</span>
            </p>
          )}
        </div>
      </div>
      <div class="key-actions">
        <button type="button" class="button is-quiet" onClick={access.closeDialog}>
          Not now
        </button>
        <button type="submit" class="button is-primary" aria-disabled={isTrying ? 'true' : 'false'}>
          {isTrying ? 'Trying …' : 'Use this key'}
        </button>
      </div>
    </form>
  )
}
