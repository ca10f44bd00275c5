/** Documented, and not served yet. This file goes when it is. */
export const AWAITED_OPERATIONS: string[] = ['get /metrics']
