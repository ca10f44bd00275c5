// Copies a text, and says so.
import { useState } from 'hono/jsx/dom'
import { useEffect } from './effect.ts'
import { Icon } from './icons.tsx'

const SHOWN_MS = 2_000

export interface CopyButtonProps {
  /** What is costly to make is made when it is wanted. */
  text: string | (() => string)
  label: string
  /** Whether the label is to be seen. */
  isLabelled?: boolean
}

export function CopyButton({ text, label, isLabelled = false }: CopyButtonProps) {
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
