// Asks for the API's key, over everything else.
import { useLayoutEffect, useRef, useState } from 'hono/jsx/dom'
import { Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import type { Access } from './access.ts'

export function KeyDialog({ access }: { access: Access }) {
  const { isAsking, isShutOut } = useObservable(access.state)
  const dialog = useRef<HTMLDialogElement>(null)

  // At once: closing gives the focus back, and a frame later that would take it from whoever writes already.
  useLayoutEffect(() => {
    if (!isAsking) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector('input')?.focus()
  }, [isAsking])

  // Browsers close it by themselves for Escape.
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="key-title" onClose={access.dismiss}>
      {isAsking && <KeyForm access={access} isShutOut={isShutOut} />}
    </dialog>
  )
}

function KeyForm({ access, isShutOut }: { access: Access; isShutOut: boolean }) {
  const [text, setText] = useState('')
  const [isReadable, setIsReadable] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const [isTrying, setIsTrying] = useState(false)
  const field = useRef<HTMLInputElement>(null)

  async function onSubmit(event: Event) {
    event.preventDefault()
    if (isTrying) return
    setIsTrying(true)
    const refusal = await access.give(text)
    // The form is gone when the key was right.
    if (refusal === null) return
    setIsTrying(false)
    setFault(refusal)
    field.current?.select()
  }

  const hasLost = isShutOut && access.key.get() !== null
  return (
    <form class="key-form" noValidate onSubmit={onSubmit} aria-busy={isTrying ? 'true' : 'false'}>
      <header class="key-head">
        <span class="key-mark">
          <Icon name="key" />
        </span>
        <div>
          <h2 id="key-title" class="panel-title">
            {isShutOut ? 'This API asks for a key' : 'Use another key'}
          </h2>
          {hasLost && <p class="key-lead">The key of this tab is not known any more.</p>}
        </div>
      </header>
      <div class="field">
        <label class="field-label" for="key">
          API key
        </label>
        <p id="key-hint" class="field-hint">
          Kept for this tab only, and gone when you close it.
        </p>
        <div class="key-field">
          <input
            ref={field}
            id="key"
            type={isReadable ? 'text' : 'password'}
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
        <button type="button" class="button is-quiet" onClick={access.dismiss}>
          Not now
        </button>
        <button type="submit" class="button is-primary" aria-disabled={isTrying ? 'true' : 'false'}>
          {isTrying ? 'Trying …' : 'Use this key'}
        </button>
      </div>
    </form>
  )
}
