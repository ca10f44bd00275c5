// The command `certificates`: keeps a valid certificate for DOMAIN in the volume that it shares with nginx.
import { createServer } from 'node:http'
import { pino } from 'pino'
import { createCertificateFolder } from '../certificates/certificate-file.ts'
import { readCertificateSettings } from '../certificates/certificate-settings.ts'
import { startRenewal } from '../certificates/renewal.ts'
import type { Environment } from '../config.ts'
import { stopOnSignal } from '../processes/stop-signals.ts'

// The volume `certificates` (docker-compose.https.yml).
const FOLDER = '/certificates'

export async function certificates(environment: Environment): Promise<void> {
  const { healthPort, ...settings } = readCertificateSettings(environment)
  const log = pino({ base: { role: 'certificates' }, timestamp: pino.stdTimeFunctions.isoTime })
  const renewal = startRenewal({ ...settings, files: createCertificateFolder(FOLDER), log })
  // The health app of the other commands would load the API and the metrics, which use more memory than all
  // the rest.
  const health = createServer((_, response) => response.writeHead(renewal.isHealthy() ? 200 : 503).end())
  if (healthPort !== undefined) health.listen(healthPort, '127.0.0.1')
  stopOnSignal(async () => {
    await renewal.stop()
  })
}
