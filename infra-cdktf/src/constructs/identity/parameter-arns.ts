// ARNs of parameters in Parameter Store, for the policies of the workflows.
import type { Account } from '../../config/schema.ts'
import { APP_PARAMETERS, PROJECT, ROLE_PARAMETERS } from '../../names.ts'

/** ARN of a parameter in all environments. @param path relative to the environment, e.g. `release/*` */
export const parameterArn = ({ id, region }: Account, path: string) =>
  `arn:aws:ssm:${region}:${id}:parameter/${PROJECT}/*/${path}`

/** ARNs of the parameters that Terraform sets, one by one: the same paths also contain secrets. */
export const settingArns = (account: Account): string[] => [
  ...APP_PARAMETERS.map((name) => parameterArn(account, `app/${name}`)),
  ...ROLE_PARAMETERS.map((name) => parameterArn(account, `role/*/${name}`)),
]
