// Hook for texts that count seconds: renders the component regularly with the current time.
import { useEffect, useState } from 'preact/hooks'

// Interval between two renderings. It is short enough that a text that counts seconds never skips one.
const TICK_MS = 250

/**
 * Renders the component again every 250 ms while `isTicking` and the tab is visible.
 * @returns the current time of this machine's clock, in milliseconds since 1970
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
