#!/bin/sh
# Which API nginx asks: choose-api [ADDRESS:PORT], by default API_UPSTREAM. nginx looks for every request where the link
# points (docker/nginx.conf), and a rename turns it at once.
set -eu
address=${1:-$API_UPSTREAM}
mkdir -p /tmp/api
: > "/tmp/api/$address"
ln -sf "$address" /tmp/api/next
mv -f /tmp/api/next /tmp/api/current
