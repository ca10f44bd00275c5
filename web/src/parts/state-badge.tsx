// A badge with a text, a mark and a colour. The text is always shown, so the meaning never depends on the
// colour.
import { HexagonIcon, type HexagonSign } from './icons.tsx'

export interface StateBadgeProps {
  tone: 'calm' | 'busy' | 'warn' | 'good' | 'bad'
  sign: HexagonSign
  text: string
}

export function StateBadge({ tone, sign, text }: StateBadgeProps) {
  return (
    <span class={`badge is-word tone-${tone}`}>
      <HexagonIcon sign={sign} />
      {text}
    </span>
  )
}
