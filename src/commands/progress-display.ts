// Shows the progress of a task: as a bar in a terminal, as lines elsewhere.

/** The members of a task that are shown. */
export interface ShownTask {
  status: string
  attempt: number
  progress: { fraction: number; message: string | null }
}

export interface ProgressDisplay {
  show(task: ShownTask): void
  /** Call it before other output. */
  end(): void
}

export interface Output {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

const BAR_WIDTH = 24

/** @param title written first, on a line of its own */
export function createProgressDisplay(output: Output, title: string): ProgressDisplay {
  let last = ''
  let hasBar = false
  output.write(`${title}\n`)
  return {
    show(task) {
      const text = describe(task)
      if (text === last) return
      last = text
      if (!output.isTTY) return void output.write(`${text}\n`)
      hasBar = true
      const line = `${barOf(task.progress.fraction)} ${text}`.slice(0, (output.columns || 80) - 1)
      output.write(`\r\x1b[K${line}`)
    },
    end() {
      if (hasBar) output.write('\n')
      hasBar = false
    },
  }
}

function describe({ status, attempt, progress }: ShownTask): string {
  const { fraction, message } = progress
  const parts = [
    status,
    attempt > 1 ? `attempt ${attempt}` : '',
    `${Math.round(fraction * 100)} %`,
    // A message of several lines would break the bar.
    (message ?? '').replace(/\s+/g, ' '),
  ]
  return parts.filter((part) => part !== '').join(' ')
}

function barOf(fraction: number): string {
  const full = Math.round(Math.min(Math.max(fraction, 0), 1) * BAR_WIDTH)
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}]`
}
