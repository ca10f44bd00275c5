// Notices for a missing API key and for missing scopes, with buttons that open the key dialog, and the button
// that removes the key.
import { Icon } from '../parts/icons.tsx'
import type { Access, Scope } from './access.ts'

/** Banner at the top of every view while the API requires a key, and the key dialog is not open. */
export function KeyRequiredBanner({ access }: { access: Access }) {
  const { isKeyRequired, isDialogOpen } = access.state.value
  const isShown = isKeyRequired && !isDialogOpen
  return (
    <div class={isShown ? 'banner tone-warn' : 'visually-hidden'} role="status">
      {isShown && (
        <>
          <Icon name="key" />
          <p class="banner-text">
            <strong>This API requires a key.</strong>{' '}
            <span class="banner-more">This page is not updated until you enter one.</span>
          </p>
          <button type="button" class="button is-small" onClick={access.openDialog}>
            Enter a key
          </button>
        </>
      )}
    </div>
  )
}

const ACTIONS = {
  submit: 'submit tasks',
  read: 'see tasks',
  operate: 'change tasks, queues, workers or schedules',
  reveal: 'see sensitive values',
} as const satisfies Record<Scope, string>

/** Notice that the API key lacks a scope. The element is empty unless the scope is known to be missing. */
export function MissingScopeNotice({ access, scope }: { access: Access; scope: Scope }) {
  const { missingScopes } = access.state.value
  return (
    <div class="missing-scope" role="status">
      {missingScopes.includes(scope) && (
        <div class="notice tone-warn">
          <Icon name="key" />
          <p>
            This key may not {ACTIONS[scope]}: it lacks the scope “{scope}”.{' '}
            <button type="button" class="link-button" onClick={access.openDialog}>
              Use another key
            </button>
          </p>
        </div>
      )}
    </div>
  )
}

/** Placeholder for a view that cannot be loaded without an API key. */
export function Locked({ access, text }: { access: Access; text: string }) {
  return (
    <div class="empty tone-warn">
      <span class="key-mark">
        <Icon name="key" />
      </span>
      <p>{text}</p>
      <button type="button" class="button" onClick={access.openDialog}>
        Enter a key
      </button>
    </div>
  )
}

/** Button that removes the API key of this tab. It is rendered only while the tab has a key. */
export function ForgetKeyButton({ access }: { access: Access }) {
  const key = access.key.value
  if (key === null) return null
  return (
    <button
      type="button"
      class="button is-quiet is-small forget-key"
      title="Forget the key of this tab"
      onClick={access.forget}
    >
      <Icon name="key" />
      Forget key
    </button>
  )
}
