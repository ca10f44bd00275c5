// The complete list of allowed connections, in the topology and in the security groups of the stack.
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { topologyOf } from '../src/topology.ts'
import { configOf, type Json, LAYOUTS, type Layout, synthesizeOne } from './support/layouts.ts'

/** Allowed connections as "from > to port". All others are denied. */
const ALLOWED: Record<Layout, string[]> = {
  single: ['world > app 443', 'world > app 80', 'app > database 5432'],
  multi: [
    'world > api 443',
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
  // The auto scaling group creates the workers.
  high: ['api-1', 'api-2'],
}

test.each(LAYOUTS)('%s has exactly these hosts and allowed connections', (layout) => {
  const { hosts, connections } = topologyOf(configOf('prod', layout))
  expect(hosts.map(({ name }) => name)).toEqual(HOSTS[layout])
  expect(connections.map(({ from, to, port }) => `${from} > ${to} ${port}`).sort()).toEqual(
    [...ALLOWED[layout]].sort(),
  )
})

test.each(LAYOUTS)('the security groups of %s allow exactly these connections', (layout) => {
  const { folder, environment } = synthesizeOne(configOf('prod', layout))
  rmSync(folder, { recursive: true })
  const { aws_vpc_security_group_ingress_rule: ingress, aws_vpc_security_group_egress_rule: egress } =
    environment.resource
  const groupIn = (reference = '') =>
    /^\$\{aws_security_group\.(\w+)-group\.id\}$/.exec(reference)?.[1] ?? 'world'
  const isOnePort = (rule: Json) => rule.ip_protocol === 'tcp' && rule.from_port === rule.to_port
  const rules = [...Object.values<Json>(ingress), ...Object.values<Json>(egress)]
  expect(rules.every(isOnePort)).toBe(true)

  const lines = (rulesById: Json, line: (here: string, there: string, port: number) => string) =>
    Object.values<Json>(rulesById)
      .map((rule) =>
        line(groupIn(rule.security_group_id), groupIn(rule.referenced_security_group_id), rule.from_port),
      )
      .sort()
  expect(lines(ingress, (here, there, port) => `${there} > ${here} ${port}`)).toEqual(
    [...ALLOWED[layout]].sort(),
  )
  // Every connection between groups is allowed at both ends.
  const inside = lines(egress, (here, there, port) => `${here} > ${there} ${port}`).filter(
    (line) => !line.includes('> world'),
  )
  expect(inside).toEqual(ALLOWED[layout].filter((line) => !line.startsWith('world')).sort())
})

test('hosts of a role are distributed over both zones', () => {
  const { hosts } = topologyOf(configOf('prod', 'multi', { workers: { count: 4, concurrency: 5 } }))
  expect(hosts.filter(({ role }) => role === 'worker').map(({ zone }) => zone)).toEqual([0, 1, 0, 1])
})

test('a role can have its own instance type', () => {
  const { hosts } = topologyOf(configOf('prod', 'multi'))
  expect(hosts.find(({ role }) => role === 'redis')?.instanceType).toBe('t4g.micro')
})
