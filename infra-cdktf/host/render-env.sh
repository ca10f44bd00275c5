#!/usr/bin/env bash
# Writes what compose reads as .env, and what the scripts of this host need besides, from the parameters of this host's
# environment and role: render-env.sh TAG. Both lie in memory and are for root only; nobody types them, and after a
# reboot they are made anew.
set -Eeuo pipefail
umask 077
PATH=$PATH:/snap/bin
export AWS_PAGER=''
ROOT=${WAGGLE_ROOT:-}
program=$(dirname "$(readlink -f "$0")")/render-env.jq
set -a
# shellcheck source=/dev/null
. "$ROOT/etc/waggle/identity"
set +a

main() {
  local given
  given=$(parameters app && parameters "role/$ROLE")
  install -d -m 700 "$ROOT/run/waggle"
  cd "$ROOT/run/waggle"
  # By pipes: an argument could be read by every process of the host.
  jq -rs --arg tag "$1" --arg output env -f "$program" <<< "$given" > env.new
  jq -rs --arg tag "$1" --arg output host -f "$program" <<< "$given" > host.new
  mv host.new host
  mv env.new env
}

parameters() {
  aws ssm get-parameters-by-path --path "/waggle/$ENVIRONMENT/$1" --recursive --with-decryption --output json
}

main "$@"
