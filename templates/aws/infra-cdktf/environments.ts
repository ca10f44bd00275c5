// The environments, each with a network, hosts and a database of its own. Edit this file and plan again to change
// a layout. An invalid one is rejected with a message that names the fields.
import type { EnvironmentInput, Environments } from 'waggle-tasks/aws'

/** One host runs everything except the database, which is on RDS: about 37 USD a month. */
const single = {
  topology: 'single',
  // t4g is arm64. For x86_64 (t3.small) also change `runs-on` of the images in .github/workflows/deploy.yml.
  hosts: { instanceType: 't4g.small', architecture: 'arm64', rootGb: 30 },
} satisfies Partial<EnvironmentInput>

export const environments = {
  prod: {
    ...single,
    vpcCidr: '10.30.0.0/16',
    // A domain with a hosted zone in Route 53. Without it, the address of the host is the URL, also with HTTPS.
    // domain: { name: 'tasks.example.com', zoneId: 'Z0123456789ABC' },
    // Slots of the worker, and further kinds of workers with queues of their own.
    // workers: { count: 1, concurrency: 20, kinds: { cpu: { concurrency: 4, queues: ['cpu'] } } },
  },
  // staging: { ...single, vpcCidr: '10.20.0.0/16' },
  // dev: { ...single, vpcCidr: '10.10.0.0/16', database: { deletionProtection: false } },
} satisfies Environments

// One role per host instead: topology: 'multi', workers: { count: 2, concurrency: 20 }. Redundant: availability:
// 'high', ingress: 'alb', cache: { kind: 'elasticache', nodeType: 'cache.t4g.micro' }.
