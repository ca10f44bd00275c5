// Hides the sensitive values of tasks in responses, and from searches.
import type { Context } from 'hono'
import { AppError } from '../../base/errors.ts'
import { parseExactly } from '../../base/exact-json.ts'
import type { ApiKey } from '../../config.ts'
import type { Registry } from '../../definitions/registry.ts'
import { isSensitiveAt, MASK, type Masks, masked, masksOf } from '../../definitions/sensitive.ts'
import type { NewTask } from '../../store/new-tasks.ts'
import type { AttemptRow, RefusedEnd, TaskRow } from '../../store/schema.ts'
import type { TaskFilter } from '../../store/task-filter.ts'
import { type CompactRow, EXCERPT_CHARACTERS } from '../../store/task-list.ts'
import type { ApiEnv } from '../http/request-context.ts'

export interface Masking {
  row<Row extends Pick<TaskRow, 'name' | 'input' | 'result'>>(row: Row): Row
  attempt(name: string, row: AttemptRow): AttemptRow
  compactRow(row: CompactRow): CompactRow
  newTask<Task extends NewTask>(task: Task): Task
  /** Names of the definitions with sensitive inputs, and with sensitive results; undefined if there are none. */
  hidden: NonNullable<TaskFilter['hidden']> | undefined
  /** Returns a filter that does not compare sensitive values, unless the client may see them. */
  filter(c: Context<ApiEnv>, filter: TaskFilter): TaskFilter
}

export interface MaskingOptions {
  registry: Registry
  /** Accepted API keys; undefined if the API accepts requests without a key: then every client may see all. */
  apiKeys?: ApiKey[]
}

export function createMasking({ registry, apiKeys }: MaskingOptions): Masking {
  const byName = new Map(
    registry.all.map((definition) => [definition.name, masksOf(definition)] as const).filter(isAnyHidden),
  )
  if (byName.size === 0) return NOTHING_SENSITIVE
  const namesWith = (part: keyof Masks) =>
    [...byName].filter(([, masks]) => masks[part]).map(([name]) => name)
  const hidden = { inputs: namesWith('input'), results: namesWith('result') }
  return { row, attempt, compactRow, newTask, hidden, filter }

  function row<Row extends Pick<TaskRow, 'name' | 'input' | 'result'>>(given: Row): Row {
    const masks = byName.get(given.name)
    if (!masks) return given
    const { input, result } = masks
    return {
      ...given,
      ...(input && { input: masked(input, given.input) }),
      ...(result && { result: masked(result, given.result) }),
    }
  }

  function attempt(name: string, given: AttemptRow): AttemptRow {
    const { result } = byName.get(name) ?? {}
    if (!result || given.refused?.result === undefined) return given
    return { ...given, refused: maskedEnd(given.refused, result) }
  }

  function compactRow(given: CompactRow): CompactRow {
    const { input, result } = byName.get(given.name) ?? {}
    return {
      ...given,
      ...(input && { inputExcerpt: maskedExcerpt(given.inputExcerpt, input) }),
      ...(result &&
        given.resultExcerpt !== null && { resultExcerpt: maskedExcerpt(given.resultExcerpt, result) }),
    }
  }

  function newTask<Task extends NewTask>(task: Task): Task {
    const { input: mask } = byName.get(task.name) ?? {}
    if (!mask) return task
    const input = masked(mask, task.input)
    return { ...task, input, inputText: JSON.stringify(input) }
  }

  function filter(c: Context<ApiEnv>, given: TaskFilter): TaskFilter {
    if ((given.text === undefined && !given.inputs) || mayReveal(c, apiKeys)) return given
    const inputs = given.inputs?.map((condition) => ({
      ...condition,
      exceptNames: hidden.inputs.filter((name) => isHiddenAt(name, condition.path)),
    }))
    return { ...given, inputs, hidden }
  }

  function isHiddenAt(name: string, path: string[]): boolean {
    const { input } = byName.get(name) ?? {}
    return input !== undefined && isSensitiveAt(input, path)
  }
}

/**
 * Checks that the client may see sensitive values.
 * @throws AppError `forbidden`
 */
export function requireReveal(c: Context<ApiEnv>, apiKeys: ApiKey[] | undefined): void {
  if (!mayReveal(c, apiKeys))
    throw new AppError('forbidden', 'reveal=true needs an API key with the scope "reveal"')
}

function mayReveal(c: Context<ApiEnv>, apiKeys: ApiKey[] | undefined): boolean {
  return apiKeys === undefined || (c.get('apiKey')?.scopes.includes('reveal') ?? false)
}

const same = <T>(value: T) => value

const NOTHING_SENSITIVE: Masking = {
  row: same,
  attempt: (_name, row) => row,
  compactRow: same,
  newTask: same,
  hidden: undefined,
  filter: (_c, filter) => filter,
}

function isAnyHidden([, masks]: readonly [string, Masks]): boolean {
  return masks.input !== undefined || masks.result !== undefined
}

function maskedEnd(end: RefusedEnd, mask: NonNullable<Masks['result']>): RefusedEnd {
  if (end.isResultCut || end.result === undefined) return { ...end, result: MASK }
  return { ...end, result: JSON.stringify(masked(mask, parseExactly(end.result))) }
}

/** @param text the whole JSON, see `listCompact`; empty if it is too large */
function maskedExcerpt(text: string, mask: NonNullable<Masks['input']>): string {
  if (text === '') return MASK
  return [...JSON.stringify(masked(mask, parseExactly(text)))].slice(0, EXCERPT_CHARACTERS).join('')
}
