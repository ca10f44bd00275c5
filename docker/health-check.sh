#!/bin/bash
# Requests a path on this container's health port and succeeds if the status is 200: health-check /health/live
# Needs bash only, no HTTP client.
exec 3<>"/dev/tcp/127.0.0.1/${HEALTH_PORT:?}" || exit 1
printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
read -r -t 4 _ status _ <&3
[ "$status" = 200 ]
