// The clock of this process, which tests can move: `Date` then shows another time. Timers are not moved.

const RealDate = Date
let movedMs = 0

/**
 * Moves `Date.now()` and `new Date()` of this process forward by `ms` milliseconds. PGlite shows the moved time
 * too, because it reads the clock of its process.
 */
export function moveClock(ms: number): void {
  movedMs += ms
  globalThis.Date = MOVED_DATE
}

/** Makes `Date` show the real time again. */
export function resetClock(): void {
  movedMs = 0
  globalThis.Date = RealDate
}

/**
 * Like `Date.now()`, without the movements of a test: for measuring how long something takes, where a movement must
 * not look like a long pause. A real change of the system time does count.
 */
export function unmovedNow(): number {
  return Date.now() - movedMs
}

const now = () => RealDate.now() + movedMs

// A proxy and not a subclass, so that `instanceof Date` also holds for dates that were made before.
const MOVED_DATE: DateConstructor = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (target, given, newTarget) =>
    Reflect.construct(
      target,
      given.length === 0 ? [now()] : given,
      newTarget === MOVED_DATE ? target : newTarget,
    ),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
})
