// Permissions of the workflow `deploy` for the VPC, hosts, DNS records, load balancer and certificates.
import type { Account } from '../../../config/schema.ts'
import { PROJECT, TAGS } from '../../../names.ts'
import { actionsOf, type Statement } from '../../identity/policy.ts'

export function networkStatements({ id, region }: Account): Statement[] {
  return [
    {
      Sid: 'Network',
      Action: actionsOf(
        'ec2',
        `
        AllocateAddress AssociateAddress DisassociateAddress ReleaseAddress
        AssociateIamInstanceProfile ReplaceIamInstanceProfileAssociation
        DisassociateIamInstanceProfile AssociateRouteTable DisassociateRouteTable
        AttachInternetGateway DetachInternetGateway AttachVolume CreateVolume
        AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress
        RevokeSecurityGroupIngress ModifySecurityGroupRules
        UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress
        CreateSecurityGroup DeleteSecurityGroup CreateFlowLogs DeleteFlowLogs CreateInternetGateway
        DeleteInternetGateway CreateLaunchTemplate CreateLaunchTemplateVersion ModifyLaunchTemplate
        DeleteLaunchTemplate CreateNatGateway DeleteNatGateway CreateRoute ReplaceRoute DeleteRoute
        CreateRouteTable DeleteRouteTable CreateSubnet ModifySubnetAttribute DeleteSubnet CreateTags
        DeleteTags CreateVpc ModifyVpcAttribute DeleteVpc CreateVpcEndpoint ModifyVpcEndpoint
        DeleteVpcEndpoints RunInstances MonitorInstances UnmonitorInstances
      `,
      ),
      Resource: [`arn:aws:ec2:${region}:${id}:*/*`, `arn:aws:ec2:${region}::image/*`],
    },
    // Only hosts and volumes with the project's tag: the account may contain others.
    {
      Sid: 'OurHosts',
      Action: actionsOf(
        'ec2',
        `
        StartInstances StopInstances RebootInstances TerminateInstances ModifyInstanceAttribute
        ModifyInstanceMetadataOptions ModifyInstanceCreditSpecification DeleteVolume DetachVolume
        ModifyVolume
      `,
      ),
      Resource: [`arn:aws:ec2:${region}:${id}:instance/*`, `arn:aws:ec2:${region}:${id}:volume/*`],
      Condition: { StringEquals: { [`aws:ResourceTag/${TAGS.project}`]: PROJECT } },
    },
    {
      Sid: 'Zones',
      Action: [
        'route53:ChangeResourceRecordSets',
        'route53:ChangeTagsForResource',
        'route53:DeleteHostedZone',
      ],
      Resource: 'arn:aws:route53:::hostedzone/*',
    },
    // These actions do not support resource-level permissions.
    {
      Sid: 'PrivateZone',
      Action: ['route53:CreateHostedZone', 'route53:GetChange', 'ec2:DescribeVpcs'],
      Resource: '*',
    },
    {
      Sid: 'Balancer',
      Action: actionsOf(
        'elasticloadbalancing',
        `
        AddTags RemoveTags CreateListener ModifyListener DeleteListener CreateLoadBalancer
        DeleteLoadBalancer ModifyLoadBalancerAttributes SetSecurityGroups SetSubnets
        CreateTargetGroup DeleteTargetGroup ModifyTargetGroup ModifyTargetGroupAttributes
        RegisterTargets DeregisterTargets
      `,
      ),
      Resource: [
        `arn:aws:elasticloadbalancing:${region}:${id}:loadbalancer/app/${PROJECT}-*`,
        `arn:aws:elasticloadbalancing:${region}:${id}:listener/app/${PROJECT}-*`,
        `arn:aws:elasticloadbalancing:${region}:${id}:targetgroup/${PROJECT}-*`,
      ],
    },
    {
      Sid: 'Certificates',
      Action: ['acm:RequestCertificate', 'acm:DeleteCertificate', 'acm:AddTagsToCertificate'],
      Resource: `arn:aws:acm:${region}:${id}:certificate/*`,
    },
  ]
}
