// Copies a text, and says so.
import { useEffect, useState } from 'hono/jsx/dom'
import { Icon } from './icons.tsx'

const SHOWN_MS = 2_000

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'failed' | null>(null)
  useEffect(() => {
    if (!outcome) return
    const timer = setTimeout(() => setOutcome(null), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [outcome])
  const said = { copied: 'Copied', failed: 'Not allowed here' }
  return (
    <span class="copy">
      <button
        type="button"
        class="icon-button"
        aria-label={label}
        title={label}
        onClick={async () => setOutcome((await copyText(text)) ? 'copied' : 'failed')}
      >
        <Icon name={outcome === 'copied' ? 'done' : 'copy'} />
      </button>
      <span class="copy-said" role="status">
        {outcome && said[outcome]}
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

/** Over plain HTTP browsers have no clipboard object, but still this old command. */
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
