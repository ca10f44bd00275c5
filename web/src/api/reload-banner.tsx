// Banner that shows why `waggle dev` could not load an edit.
import { Icon } from '../parts/icons.tsx'
import type { Reload } from './reload.ts'

export function ReloadBanner({ reload }: { reload: Reload }) {
  const { error } = reload.state.value
  return (
    // The element is always rendered, because screen readers announce only changes inside an existing status
    // element.
    <div class={error === null ? 'visually-hidden' : 'banner tone-bad reload-banner'} role="status">
      {error !== null && (
        <>
          <Icon name="warning" />
          <div class="banner-text">
            <strong>The last edit could not be loaded. The code before it keeps running.</strong>
            <pre>{error}</pre>
          </div>
        </>
      )}
    </div>
  )
}
