// Collects what /openapi.json describes: the operations of all groups of routes, and the schemas with names.
import type { Registry } from '../../definitions/registry.ts'
import { createOpenApiDocument, type OpenApiDocument } from '../openapi/document.ts'
import type { ProjectOperations } from '../openapi/operation.ts'
import { scheduleOperations } from '../schedules/schedule-operations.ts'
import { SCHEDULE_SCHEMAS } from '../schedules/schedule-schemas.ts'
import { systemOperations } from '../system/system-operations.ts'
import { SYSTEM_SCHEMAS } from '../system/system-schemas.ts'
import { schemasOfDefinitions } from '../tasks/definition-schemas.ts'
import { submitOperations } from '../tasks/submit-operations.ts'
import { BULK_SCHEMAS } from '../tasks/task-filters.ts'
import { taskOperations } from '../tasks/task-operations.ts'
import { REQUEST_SCHEMAS } from '../tasks/task-requests.ts'
import { TASK_SCHEMAS } from '../tasks/task-schemas.ts'
import { docsOperations } from './docs-operations.ts'

const DESCRIPTION = `Background tasks behind an HTTP API.

**Guarantee:** an accepted task is never lost. It runs at least once, and exactly one result is accepted. 202 means that the task is committed.

Every error response is a problem document (RFC 9457, \`application/problem+json\`); its \`type\` identifies the problem. API keys are required only if the server is configured with keys. Send one as \`Authorization: Bearer …\` or \`X-API-Key: …\`.`

/**
 * Creates the document that /openapi.json returns.
 * @param version version of Waggle from package.json
 * @param projectOperations the routes of the project
 */
export function createApiDocument(
  registry: Registry,
  version: string,
  projectOperations?: ProjectOperations,
): OpenApiDocument {
  return createOpenApiDocument({
    info: {
      title: 'Waggle',
      version,
      description: DESCRIPTION,
      contact: { name: 'The operator of this server' },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    tags: {
      Submit: {
        description:
          'One operation per task definition. 202 means that the task is committed and will run at least once.',
        operations: submitOperations(registry.submittable),
      },
      Tasks: { description: 'Read, list, cancel, retry and replay tasks.', operations: taskOperations },
      Schedules: {
        description: 'Tasks that are made regularly.',
        operations: scheduleOperations,
      },
      ...(projectOperations && { [projectOperations.tag]: projectOperations }),
      Monitoring: {
        description: 'Queues, workers, statistics, health, metrics.',
        operations: systemOperations,
      },
      Documentation: { description: 'This document.', operations: docsOperations },
    },
    schemas: {
      ...TASK_SCHEMAS,
      ...REQUEST_SCHEMAS,
      ...BULK_SCHEMAS,
      ...SCHEDULE_SCHEMAS,
      ...SYSTEM_SCHEMAS,
      ...projectOperations?.schemas,
      ...schemasOfDefinitions(registry.submittable),
    },
  })
}
