// The members that events about an attempt have in common.
import type { ClaimedTask } from '../../store/claim.ts'
import type { AnnouncedTask } from '../../telemetry/events.ts'

export function announced({ id, name, attempt, requestId, traceparent }: ClaimedTask): AnnouncedTask {
  return {
    taskId: id,
    name,
    attempt,
    ...(requestId !== null && { requestId }),
    ...(traceparent !== null && { traceparent }),
  }
}
