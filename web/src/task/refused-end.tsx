// Shows the end of an attempt that came too late and was refused: its result, its error and its last log
// lines.
import type { Task } from '../api/api-client.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { JsonTree } from '../parts/json-tree.tsx'
import { LogLineItem } from './log-line.tsx'
import { ErrorOutput, ErrorText } from './task-error.tsx'

export type RefusedEndOfAttempt = NonNullable<Task['attempts'][number]['refused']>

export function RefusedEnd({ refused }: { refused: RefusedEndOfAttempt }) {
  const { at, status, result, result_excerpt: excerpt, error, log } = refused
  return (
    <details class="more-details">
      <summary>{titleOf(refused)}</summary>
      <div class="refused">
        <p class="refused-reason">
          This attempt ended at <time datetime={at}>{formatTimestamp(at)}</time>, too late: it had been given
          up, another attempt had begun, or the task had ended. This late end has not changed the task.
        </p>
        {error && (
          <>
            <p class="attempt-error">
              <ErrorText error={error} />
            </p>
            <ErrorOutput error={error} />
          </>
        )}
        {status === 'SUCCESS' && excerpt === null && <JsonTree label="Late result" value={result} />}
        {excerpt !== null && (
          <>
            <p class="quiet">The result is larger than 16 KiB. Its first part is kept:</p>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard */}
            <pre class="output" tabIndex={0}>
              {excerpt}
            </pre>
          </>
        )}
        {log.length > 0 && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard
          <section class="log" aria-label="Last log lines of the late attempt" tabIndex={0}>
            <ol class="log-lines">
              {log.map((line, index) => (
                <LogLineItem key={index} {...line} />
              ))}
            </ol>
          </section>
        )}
      </div>
    </details>
  )
}

function titleOf({ status, error }: RefusedEndOfAttempt): string {
  if (status === 'SUCCESS') return 'Late result, refused'
  return error ? 'Late error, refused' : 'Last log lines of the late end'
}
