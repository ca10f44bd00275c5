#!/usr/bin/env bash
# Usage: render-env.sh TAG, in the folder of a release. Renders the parameters of this host's environment and
# role into three files: .env for compose, .env.project with the settings of the project's own services, and a
# file for the scripts of this host. All are in memory, readable only by root, and rendered again after a reboot.
# Writes the services of further kinds of workers, which contain no secrets, beside the compose files.
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
  local responses
  responses=$(parameters app && parameters "role/$ROLE")
  write_worker_kinds "$(jq -rs '[.[].Parameters[] | select(.Name | endswith("/WORKER_KINDS")).Value][0] // empty' <<< "$responses")"
  install -d -m 700 "$ROOT/run/waggle"
  ln -sfn "$ROOT/run/waggle/project" .env.project
  cd "$ROOT/run/waggle"
  # Secrets are passed on standard input, because every process on the host can read arguments.
  jq -rs --arg tag "$1" --arg output env -f "$program" <<< "$responses" > env.new
  jq -rs --arg tag "$1" --arg output project -f "$program" <<< "$responses" > project.new
  jq -rs --arg tag "$1" --arg output host -f "$program" <<< "$responses" > host.new
  mv host.new host
  mv project.new project
  mv env.new env
}

# Writes one service for each kind of worker on this host. Each extends the service `worker` of both compose
# files, because `extends` reads one file only.
write_worker_kinds() {
  [ -n "$1" ] || return 0
  extend() { jq --arg file "$1" '{services: map_values(. + {extends: {file: $file, service: "worker"}})}'; }
  extend docker-compose.yml <<< "$1" > workers.json
  jq 'map_values({})' <<< "$1" | extend docker-compose.aws.yml > workers.aws.json
}

# The role of a host with only Redis may read a few parameters of the application, and only by name.
parameters() {
  local path=/waggle/$ENVIRONMENT/$1
  if [ "$1 $ROLE" = 'app redis' ]; then
    aws ssm get-parameters --with-decryption --output json --names \
      "$path"/{AWS_REGION,ECR_REGISTRY,BACKEND_LOG_GROUP,WORKER_LOG_GROUP,REDIS_PASSWORD}
  else
    aws ssm get-parameters-by-path --path "$path" --recursive --with-decryption --output json
  fi
}

main "$@"
