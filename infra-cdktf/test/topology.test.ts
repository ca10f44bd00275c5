// Who may speak to whom: the whole matrix, as the configuration says it and as it stands in Terraform.
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { topologyOf } from '../src/topology.ts'
import { configOf, type Json, LAYOUTS, type Layout, synthesizeOne } from './support/layouts.ts'

/** From, to and port; whatever is not here is denied. */
const ALLOWED: Record<Layout, string[]> = {
  single: ['world > app 80', 'app > database 5432'],
  multi: [
    'world > api 80',
    'api > redis 6379',
    'worker > redis 6379',
    'api > database 5432',
    'worker > database 5432',
  ],
  high: [
    'world > balancer 443',
    'world > balancer 80',
    'balancer > api 80',
    'api > cache 6379',
    'worker > cache 6379',
    'api > database 5432',
    'worker > database 5432',
  ],
}

const HOSTS: Record<Layout, string[]> = {
  single: ['app'],
  multi: ['api-1', 'worker-1', 'worker-2', 'redis'],
  // The workers are made by the auto scaling group.
  high: ['api-1', 'api-2'],
}

test.each(LAYOUTS)('%s has its hosts, and nobody else speaks to anybody', (layout) => {
  const { hosts, edges } = topologyOf(configOf('prod', layout))
  expect(hosts.map(({ name }) => name)).toEqual(HOSTS[layout])
  expect(edges.map(({ from, to, port }) => `${from} > ${to} ${port}`).sort()).toEqual(
    [...ALLOWED[layout]].sort(),
  )
})

test.each(LAYOUTS)('the security groups of %s let through that, and nothing else', (layout) => {
  const { folder, environment } = synthesizeOne(configOf('prod', layout))
  rmSync(folder, { recursive: true })
  const { aws_vpc_security_group_ingress_rule: ingress, aws_vpc_security_group_egress_rule: egress } =
    environment.resource
  const groupIn = (reference = '') =>
    /^\$\{aws_security_group\.(\w+)-group\.id\}$/.exec(reference)?.[1] ?? 'world'
  const isOnePort = (rule: Json) => rule.ip_protocol === 'tcp' && rule.from_port === rule.to_port
  const rules = [...Object.values<Json>(ingress), ...Object.values<Json>(egress)]
  expect(rules.every(isOnePort)).toBe(true)

  const lines = (among: Json, line: (here: string, there: string, port: number) => string) =>
    Object.values<Json>(among)
      .map((rule) =>
        line(groupIn(rule.security_group_id), groupIn(rule.referenced_security_group_id), rule.from_port),
      )
      .sort()
  expect(lines(ingress, (here, there, port) => `${there} > ${here} ${port}`)).toEqual(
    [...ALLOWED[layout]].sort(),
  )
  // Both ends agree: what is let in is also let out.
  const inside = lines(egress, (here, there, port) => `${here} > ${there} ${port}`).filter(
    (line) => !line.includes('> world'),
  )
  expect(inside).toEqual(ALLOWED[layout].filter((line) => !line.startsWith('world')).sort())
})

test('hosts of a role lie in both zones', () => {
  const { hosts } = topologyOf(configOf('prod', 'multi', { workers: { count: 4, concurrency: 5 } }))
  expect(hosts.filter(({ role }) => role === 'worker').map(({ zone }) => zone)).toEqual([0, 1, 0, 1])
})

test('a role may have an instance type of its own', () => {
  const { hosts } = topologyOf(configOf('prod', 'multi'))
  expect(hosts.find(({ role }) => role === 'redis')?.instanceType).toBe('t4g.micro')
})
