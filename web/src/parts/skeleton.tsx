// Placeholder for content that is being loaded: grey lines in about the size of the content.

type Line = 'normal' | 'short' | 'tall' | 'row' | 'chart'

export interface SkeletonProps {
  lines: Line[]
  /** Text for screen readers. Omit it inside an element that already has such a text. */
  label?: string
  isPanel?: boolean
}

export function Skeleton({ lines, label, isPanel = false }: SkeletonProps) {
  const announcement = label === undefined ? {} : { role: 'status' as const, 'aria-label': label }
  return (
    <div class={isPanel ? 'panel skeleton' : 'skeleton'} {...announcement}>
      {lines.map((line, index) => (
        <span
          key={`${index}-${line}`}
          class={line === 'normal' ? 'skeleton-line' : `skeleton-line is-${line}`}
        />
      ))}
    </div>
  )
}
