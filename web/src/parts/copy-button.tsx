// Button that copies a text to the clipboard and shows whether that succeeded.
import { useEffect, useState } from 'preact/hooks'
import { Icon } from './icons.tsx'

// How long the button shows whether the text was copied.
const SHOWN_MS = 2_000

export interface CopyButtonProps {
  /** Text to copy. A function is called only on a click; it is for texts that are expensive to build. */
  text: string | (() => string)
  label: string
  /** Whether the label is shown next to the icon; otherwise it is a tooltip. */
  isLabelled?: boolean
}

export function CopyButton({ text, label, isLabelled = false }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<'copied' | 'failed' | null>(null)
  useEffect(() => {
    if (!outcome) return
    const timer = setTimeout(() => setOutcome(null), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [outcome])
  const message = { copied: 'Copied', failed: 'Copying failed' }
  return (
    <span class="copy">
      <button
        type="button"
        class={isLabelled ? 'button is-quiet is-small' : 'icon-button'}
        aria-label={isLabelled ? undefined : label}
        title={isLabelled ? undefined : label}
        onClick={async () => {
          const isCopied = await copyText(typeof text === 'string' ? text : text())
          setOutcome(isCopied ? 'copied' : 'failed')
        }}
      >
        <Icon name={outcome === 'copied' ? 'done' : 'copy'} />
        {isLabelled && label}
      </button>
      <span class="copy-outcome" role="status">
        {outcome && message[outcome]}
      </span>
    </span>
  )
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copySelection(text)
  }
}

/**
 * Copies with a deprecated command, for pages loaded over plain HTTP, where browsers have no clipboard API.
 * Returns whether it succeeded.
 */
function copySelection(text: string): boolean {
  const focused = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'visually-hidden'
  document.body.append(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return isCopied
}
