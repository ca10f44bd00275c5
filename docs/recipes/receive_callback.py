"""Receives the callbacks of tasks (Standard Webhooks)."""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRETS = os.environ["WEBHOOK_SECRET"].split(",")  # as set for Waggle
TOLERANCE_SECONDS = 300


def verify(headers, body):
    """Raises ValueError unless Waggle has signed the body, within the last five minutes."""
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(int(time.time()) - int(timestamp)) > TOLERANCE_SECONDS:
        raise ValueError("the timestamp is missing, too old or too new")
    signatures = headers.get("webhook-signature", "").split()
    for secret in SECRETS:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)
        expected = "v1," + base64.b64encode(digest).decode()
        if any(hmac.compare_digest(expected.encode(), each.encode()) for each in signatures):
            return
    raise ValueError("no signature is valid")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            verify(self.headers, body)
        except ValueError as error:
            return self.send_error(401, str(error))
        event = json.loads(body)
        print(event["type"], event["data"]["id"], json.dumps(event["data"]["result"]), flush=True)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()
