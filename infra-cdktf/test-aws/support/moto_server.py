"""Starts moto's server with three things that AWS has and moto 5.2.5 lacks: the public parameters with the image ids
of Ubuntu; the protocol in which the AWS provider calls CloudWatch (RPC v2 CBOR), translated to JSON, which moto has;
and that a zone of Route 53 is private if the request for it names a VPC.
It ends when its standard input is closed: with the test that has started it, also if that is killed.
"""

import datetime
import io
import json
import os
import sys
import threading

import cbor2
from moto.core.utils import utcnow
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.route53.responses import Route53
from moto.server import main
from moto.ssm.models import Parameter, ParameterDict

UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
# Two images that moto has. It does not compare their architecture with that of the instance.
IMAGES = {UBUNTU.format("arm64"): "ami-785db401", UBUNTU.format("amd64"): "ami-1e749f67"}
CBOR_PATH = "/service/GraniteServiceVersion20100801/operation/"

check_loading_status = ParameterDict._check_loading_status
dispatch = DomainDispatcherApplication.__call__
create_zone = Route53.create_hosted_zone


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


def add_images(self, key):
    if key in IMAGES and key not in self.keys():
        parameter = Parameter(
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
        dict.__setitem__(self, key, [parameter])
    check_loading_status(self, key)


def create_zone_of_vpc(self):
    read = self._get_bool_param
    has_vpc = self._get_param("VPC.VPCId") is not None
    self._get_bool_param = lambda name, default: has_vpc if name == "HostedZoneConfig.PrivateZone" else read(name, default)
    return create_zone(self)


def translate_cbor(self, environ, start_response):
    path = environ["PATH_INFO"]
    if not path.startswith(CBOR_PATH):
        return dispatch(self, environ, start_response)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    request = json.dumps(cbor2.loads(body) if body else {}, default=epoch).encode()
    environ |= {
        "PATH_INFO": "/",
        "RAW_URI": "/",
        "REQUEST_URI": "/",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": str(len(request)),
        "HTTP_X_AMZ_TARGET": "GraniteServiceVersion20100801." + path[len(CBOR_PATH) :],
        "wsgi.input": io.BytesIO(request),
    }
    del environ["HTTP_SMITHY_PROTOCOL"]
    answered = {}

    def remember(status, headers, exc_info=None):
        answered.update(status=status, headers=headers)

    text = b"".join(dispatch(self, environ, remember))
    response = cbor2.dumps(with_times(json.loads(text)) if text else {}, datetime_as_timestamp=True)
    kept = [(k, v) for k, v in answered["headers"] if k.lower() not in ("content-type", "content-length")]
    start_response(
        answered["status"],
        kept
        + [
            ("Content-Type", "application/cbor"),
            ("Content-Length", str(len(response))),
            ("Smithy-Protocol", "rpc-v2-cbor"),
        ],
    )
    return [response]


def epoch(value):
    return value.timestamp()


def with_times(value, name=""):
    """Returns the value with numbers of seconds as CBOR times, where the name says that it is a time."""
    if isinstance(value, dict):
        return {key: with_times(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_times(inner, name) for inner in value]
    if isinstance(value, (int, float)) and name.endswith(("Timestamp", "Timestamps", "LastModified")):
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
    return value


ParameterDict._check_loading_status = add_images
DomainDispatcherApplication.__call__ = translate_cbor
Route53.create_hosted_zone = create_zone_of_vpc
threading.Thread(target=end_with_input, daemon=True).start()
main(sys.argv[1:])
