// Button that deletes a schedule after a confirmation.
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { withKey } from '../api/access.ts'
import { MissingScopeNotice } from '../api/access-notice.tsx'
import { useAction } from '../api/use-action.ts'
import type { Page } from '../page.ts'
import { goTo } from '../route.ts'

export function DeleteButton({ page, name }: { page: Page; name: string }) {
  const { access, api } = page
  const { isDisabled, refusal, press } = useAction(access)
  const [isAsking, setIsAsking] = useState(false)
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    if (!isAsking) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector<HTMLElement>('[data-first]')?.focus()
  }, [isAsking])
  return (
    <>
      <button
        type="button"
        class="button is-small"
        aria-label={`Delete the schedule ${name}`}
        aria-disabled={isDisabled ? 'true' : 'false'}
        onClick={() => isDisabled || setIsAsking(true)}
      >
        Delete
      </button>
      <dialog ref={dialog} class="dialog" aria-labelledby="delete-title" onClose={() => setIsAsking(false)}>
        {isAsking && (
          <div class="bulk">
            <h2 id="delete-title" class="panel-title">{`Delete the schedule ${name}?`}</h2>
            <p>It makes no further tasks. The tasks that it has made stay.</p>
            <p class="action-refusal" role="alert">
              {refusal}
            </p>
            <MissingScopeNotice access={access} scope="operate" />
            <div class="key-actions">
              <button type="button" class="button is-quiet" data-first onClick={() => setIsAsking(false)}>
                Not now
              </button>
              <button
                type="button"
                class="button is-primary"
                aria-disabled={isDisabled ? 'true' : 'false'}
                onClick={async (event: MouseEvent) => {
                  const isDeleted = await press(event, () => withKey(access, () => api.deleteSchedule(name)))
                  if (isDeleted) goTo({ view: 'schedules' })
                }}
              >
                Delete schedule
              </button>
            </div>
          </div>
        )}
      </dialog>
    </>
  )
}
