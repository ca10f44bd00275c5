// How each definition does by itself; its name leads to its tasks.
import type { Definition, Stats } from '../api/api-client.ts'
import { formatCount, formatPercent } from '../parts/numbers.ts'
import { ScrollPlace } from '../parts/scroll-place.tsx'
import { hashOf } from '../route.ts'
import { Sparkline } from './sparkline.tsx'
import { drawnSteps, formatTime } from './times.ts'

export interface DefinitionsTableProps {
  stats: Stats
  definitions: Definition[]
  when: string
}

export function DefinitionsTable({ stats, definitions, when }: DefinitionsTableProps) {
  return (
    <section class="panel" aria-labelledby="by-definition">
      <h2 id="by-definition" class="panel-title">
        By kind of task
      </h2>
      <ScrollPlace label={`Kinds of tasks in the ${when}`}>
        <table class="kinds">
          <thead>
            <tr>
              <th scope="col">Task</th>
              <th scope="col">
                <span class="kinds-line-title">Ended over time</span>
              </th>
              <th scope="col" class="is-number kinds-wide">
                Accepted
              </th>
              <th scope="col" class="is-number kinds-wide">
                Succeeded
              </th>
              <th scope="col" class="is-number">
                Failed
              </th>
              <th scope="col" class="is-number kinds-wide">
                Retried
              </th>
              <th scope="col" class="is-number kinds-wide">
                Wait p95
              </th>
              <th scope="col" class="is-number kinds-wide">
                Run p50
              </th>
              <th scope="col" class="is-number">
                Run p95
              </th>
            </tr>
          </thead>
          <tbody>
            {stats.definitions.map((one) => (
              <Row
                key={one.name}
                one={one}
                title={titleOf(one.name, definitions)}
                steps={drawnSteps(stats)}
              />
            ))}
          </tbody>
        </table>
      </ScrollPlace>
    </section>
  )
}

interface RowProps {
  one: Stats['definitions'][number]
  title: string
  /** How many are drawn. */
  steps: number
}

function Row({ one, title, steps }: RowProps) {
  const { name, failure_rate: failureRate } = one
  return (
    <tr>
      <th scope="row">
        <a class="kinds-name" href={hashOf({ view: 'tasks', params: { name } })}>
          {title}
        </a>
        {title !== name && <code class="kinds-code">{name}</code>}
      </th>
      <td class="kinds-line">
        <Sparkline values={one.series.slice(0, steps)} />
      </td>
      <td class="is-number kinds-wide">{formatCount(one.accepted)}</td>
      <td class="is-number kinds-wide">{formatCount(one.succeeded)}</td>
      <td class="is-number">
        {one.failed === 0 ? (
          <span class="quiet">0</span>
        ) : (
          <>
            <a class="kinds-failed" href={hashOf({ view: 'tasks', params: { name, status: 'FAILURE' } })}>
              {formatCount(one.failed)}
            </a>{' '}
            {failureRate !== null && <span class="kinds-rate">{formatPercent(failureRate)}</span>}
          </>
        )}
      </td>
      <td class="is-number kinds-wide">{formatCount(one.retried)}</td>
      <td class="is-number kinds-wide">{formatTime(one.wait_p95_ms)}</td>
      <td class="is-number kinds-wide">{formatTime(one.run_p50_ms)}</td>
      <td class="is-number">{formatTime(one.run_p95_ms)}</td>
    </tr>
  )
}

function titleOf(name: string, definitions: Definition[]): string {
  if (name === 'other') return 'Others'
  return definitions.find((definition) => definition.name === name)?.title ?? name
}
