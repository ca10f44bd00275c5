"""Starts moto's server with parameters that AWS has in every account, and moto lacks: the image ids of Ubuntu."""

import sys

from moto.server import main
from moto.ssm.models import Parameter, ParameterDict
from moto.core.utils import utcnow

UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
IMAGES = {
    UBUNTU.format("arm64"): "ami-0123456789abcdef0",
    UBUNTU.format("amd64"): "ami-0123456789abcdef1",
}
check_loading_status = ParameterDict._check_loading_status


def check(self, key):
    if key in IMAGES and key not in self.keys():
        dict.__setitem__(
            self,
            key,
            [
                Parameter(
                    account_id=self.account_id,
                    name=key,
                    value=IMAGES[key],
                    parameter_type="String",
                    description=None,
                    allowed_pattern=None,
                    keyid=None,
                    last_modified_date=utcnow(),
                    version=1,
                    data_type="aws:ec2:image",
                )
            ],
        )
    check_loading_status(self, key)


ParameterDict._check_loading_status = check
main(sys.argv[1:])
