// In the place of rows that are on their way.
export function RowsSkeleton({ label }: { label: string }) {
  return (
    <div class="skeleton" role="status" aria-label={label}>
      <span class="skeleton-line" />
      <span class="skeleton-line" />
      <span class="skeleton-line is-short" />
    </div>
  )
}
