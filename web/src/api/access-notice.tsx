// What cannot be done without a key, or with this one, and the way to another.

import { Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import type { Access, Scope } from './access.ts'

/** Above everything, while the API does not let the page in. */
export function ShutOutBanner({ access }: { access: Access }) {
  const { isShutOut, isAsking } = useObservable(access.state)
  const isShown = isShutOut && !isAsking
  return (
    <div class={isShown ? 'banner tone-warn' : 'visually-hidden'} role="status">
      {isShown && (
        <>
          <Icon name="key" />
          <p class="banner-text">
            <strong>This API asks for a key.</strong>{' '}
            <span class="banner-more">Until it has one, nothing here is brought up to date.</span>
          </p>
          <button type="button" class="button is-small" onClick={access.ask}>
            Enter a key
          </button>
        </>
      )}
    </div>
  )
}

const WHAT = {
  submit: 'submit tasks',
  read: 'see tasks',
  operate: 'cancel or retry tasks',
} as const satisfies Record<Scope, string>

/** Nothing, unless the key was found not to be good for this. */
export function LackingNotice({ access, scope }: { access: Access; scope: Scope }) {
  const { lacking } = useObservable(access.state)
  return (
    <div class="lacking" role="status">
      {lacking.includes(scope) && (
        <div class="notice tone-warn">
          <Icon name="key" />
          <p>
            This key may not {WHAT[scope]}: it lacks the scope “{scope}”.{' '}
            <button type="button" class="link-button" onClick={access.ask}>
              Use another key
            </button>
          </p>
        </div>
      )}
    </div>
  )
}

/** In the place of what cannot be shown. */
export function Locked({ access, what }: { access: Access; what: string }) {
  return (
    <div class="empty tone-warn">
      <span class="key-mark">
        <Icon name="key" />
      </span>
      <p>{what}</p>
      <button type="button" class="button" onClick={access.ask}>
        Enter a key
      </button>
    </div>
  )
}

/** Nothing, unless there is a key. */
export function ForgetKey({ access }: { access: Access }) {
  const key = useObservable(access.key)
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
