// An effect hook that skips an effect if its component is removed, or its dependencies change, before the
// next frame.
import { type useEffect as EffectHook, useLayoutEffect } from 'hono/jsx/dom'

/**
 * Replaces Hono's `useEffect`, which delays an effect until the next frame and then runs it even if the
 * component was removed meanwhile. Such an effect is never cleaned up, and a state change in it renders the
 * removed component again, next to the one that replaced it.
 */
export function useEffect(...[effect, deps]: Parameters<typeof EffectHook>): void {
  useLayoutEffect(() => {
    let isOver = false
    let cleanUp: ReturnType<typeof effect>
    requestAnimationFrame(() => {
      if (!isOver) cleanUp = effect()
    })
    return () => {
      isOver = true
      cleanUp?.()
    }
  }, deps)
}
