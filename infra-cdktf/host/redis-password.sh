#!/usr/bin/env bash
# Changes the password of the Redis container on this host in two steps, so that clients can always log in:
#
#   redis-password.sh add   Redis accepts the password in Parameter Store in addition to its own
#   redis-password.sh set   Redis restarts within a second or two, and accepts only the password in Parameter Store
#
# Both steps can be repeated.
set -Eeuo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

main() {
  host/render-env.sh "$(basename "$(pwd -P)")"
  case ${1:-} in
    add) add_password ;;
    set) docker compose --progress quiet up -d --wait --no-deps --no-build redis ;;
    *)
      echo "Usage: redis-password.sh add | set" >&2
      exit 1
      ;;
  esac
}

# The password is passed on standard input, because every process on the host can read arguments. redis-cli -x
# appends it to its arguments.
add_password() {
  local password response
  password=$(sed -n 's/^REDIS_PASSWORD=//p' .env)
  password=${password#\'}
  # shellcheck disable=SC2016 # the shell in the container expands it
  response=$(printf '>%s' "${password%\'}" |
    docker compose exec -T redis sh -c 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -x ACL SETUSER default')
  [ "$response" = OK ] || {
    echo "Redis did not accept a second password: $response" >&2
    exit 1
  }
}

main "$@"
