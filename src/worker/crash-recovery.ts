// Puts the tasks of a crashed worker back. Placeholder with the signature of the later file: it puts no task back, so
// other workers recover them when the worker counts as missing.

export interface CrashedWorker {
  databaseUrl: string
  workerId: string
}

/** Resolves with the tasks that were put back. @throws AppError `unavailable` if Postgres cannot be reached */
export async function recoverCrashedWorker(
  _worker: CrashedWorker,
): Promise<{ taskId: string; name: string }[]> {
  return []
}
