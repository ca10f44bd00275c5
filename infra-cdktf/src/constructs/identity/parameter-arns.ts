// ARNs of parameters in Parameter Store, for the policies of the workflows.
import type { Account } from '../../config/schema.ts'
import { APP_PARAMETERS, type Environment, PROJECT, ROLE_PARAMETERS } from '../../names.ts'

/** ARN of a parameter of an environment. @param path relative to the environment, e.g. `release/*` */
export const parameterArn = ({ id, region }: Account, environment: Environment | '*', path: string) =>
  `arn:aws:ssm:${region}:${id}:parameter/${PROJECT}/${environment}/${path}`

/** ARNs of the parameters that Terraform sets, one by one: the same paths also contain secrets. */
export const settingArns = (account: Account, environment: Environment | '*'): string[] => [
  ...APP_PARAMETERS.map((name) => parameterArn(account, environment, `app/${name}`)),
  ...ROLE_PARAMETERS.map((name) => parameterArn(account, environment, `role/*/${name}`)),
]
