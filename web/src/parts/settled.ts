// Hook that follows a text with a delay, for requests that should not be sent at every keystroke.
import { useEffect, useState } from 'preact/hooks'

// Pause after the last change of a text. It is a little longer than between two keystrokes.
const TYPING_MS = 300

/** Returns the text as it was when it had last stayed the same for 300 ms. */
export function useSettled(text: string): string {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}
