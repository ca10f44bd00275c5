// The current time for texts that count seconds.
import { useState } from 'hono/jsx/dom'
import { useEffect } from './effect.ts'

// Short enough that no counted second seems to be skipped.
const TICK_MS = 250

/**
 * Renders the component again every 250 ms while `isTicking` and the tab is visible.
 * @returns this machine's time in ms
 */
export function useNow(isTicking: boolean): number {
  const [, setTick] = useState(0)
  useEffect(() => {
    if (!isTicking) return
    const timer = setInterval(() => {
      if (!document.hidden) setTick((tick) => tick + 1)
    }, TICK_MS)
    return () => clearInterval(timer)
  }, [isTicking])
  return Date.now()
}
