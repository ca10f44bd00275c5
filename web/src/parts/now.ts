// The time, for texts that count.
import { useState } from 'hono/jsx/dom'
import { useEffect } from './effect.ts'

// Often enough that a counted second never seems to be skipped.
const TICK_MS = 250

/** Renders anew as time passes, as long as `isTicking`. @returns this machine's time in milliseconds */
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
