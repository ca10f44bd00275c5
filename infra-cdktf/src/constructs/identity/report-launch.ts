// The permission of a worker to report that it was prepared.
import type { Account } from '../../config/schema.ts'
import { type Environment, namesOf } from '../../names.ts'
import type { Statement } from './policy.ts'

export const reportLaunch = ({ id, region }: Account, environment: Environment): Statement => ({
  Sid: 'ReportLaunch',
  Action: 'autoscaling:CompleteLifecycleAction',
  Resource: `arn:aws:autoscaling:${region}:${id}:autoScalingGroup:*:autoScalingGroupName/${namesOf(environment).autoScalingGroup}`,
})
