// Effects of components that may be gone, or changed, before the browser draws them.
import { type useEffect as EffectHook, useLayoutEffect } from 'hono/jsx/dom'

/**
 * As Hono's own. That one puts an effect off until the next frame and then runs it whatever has become of its component: an
 * effect that comes too late is never ended, and what it sets brings the component back beside what has taken its place.
 */
export function useEffect(...[effect, deps]: Parameters<typeof EffectHook>): void {
  useLayoutEffect(() => {
    let isOver = false
    let end: ReturnType<typeof effect>
    requestAnimationFrame(() => {
      if (!isOver) end = effect()
    })
    return () => {
      isOver = true
      end?.()
    }
  }, deps)
}
