#!/bin/sh
# Sets the API that nginx passes requests to: choose-api [ADDRESS:PORT]. The default is API_UPSTREAM. nginx
# resolves the link /tmp/api/current for every request (docker/nginx.conf); the rename replaces the link
# atomically.
set -eu
address=${1:-$API_UPSTREAM}
mkdir -p /tmp/api
: > "/tmp/api/$address"
ln -sf "$address" /tmp/api/next
mv -f /tmp/api/next /tmp/api/current
