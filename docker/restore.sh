#!/usr/bin/env bash
# Restores a backup that docker/backup.sh wrote, also on a new host with nothing but .env and the project:
#
#   docker/restore.sh FILE       restores into a database beside the present one, stops the API and the
#                                workers of this host, puts the restored database in place of the present
#                                one, and starts them again
#
# In a project it is node_modules/waggle-tasks/docker/restore.sh. Stop API and workers on other hosts before.
# Redis can stay as it is, or be empty.
#
# Exit code 0: the restored database is in place. The old one is kept under another name, which is printed.
# Any other code: an error message says why. A failure before the message "The restored database is in place"
# changes nothing.
set -Eeuo pipefail

HEALTHY_SECONDS=${HEALTHY_SECONDS:-60}
RESTORED=waggle_restored

main() {
  [ $# = 1 ] && [ -f "$1" ] || fail "Usage: docker/restore.sh FILE"
  file=$(realpath "$1")
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  case $PWD in */node_modules/waggle-tasks) cd ../.. ;; esac
  exec 9> .rollout.lock
  flock -n 9 || fail "A rollout or another restore is under way"
  services=$(compose config --services)
  grep -qxF postgres <<< "$services" ||
    fail "Postgres is not on this host: COMPOSE_PROFILES in .env does not contain postgres"
  mapfile -t roles < <(grep -xE 'api|worker(-[A-Za-z0-9_.-]+)?' <<< "$services")
  compose up -d --wait --no-deps --no-recreate postgres

  say "Restoring $file"
  running=
  trap clean_up EXIT
  drop_restored
  in_postgres createdb -U waggle "$RESTORED"
  in_postgres pg_restore -U waggle --exit-on-error --no-owner -d "$RESTORED" < "$file" ||
    fail "The backup cannot be restored. Nothing was changed"
  # A backup contains no statistics.
  sql "$RESTORED" analyze

  if [ ${#roles[@]} -gt 0 ]; then running=$(compose ps -q "${roles[@]}" | tr '\n' ' '); fi
  if [ -n "$running" ]; then compose stop "${roles[@]}"; fi
  old=waggle_until_$(date -u +%Y%m%d_%H%M%S)
  # One transaction. It fails if a process of another host is connected.
  sql postgres "alter database waggle rename to $old" "alter database $RESTORED rename to waggle"
  say "The restored database is in place. The old one can be deleted: docker compose exec postgres dropdb -U waggle $old"
  if [ -n "$running" ]; then
    # The backup can be older than this version.
    compose run --rm --no-deps -T migrate > /dev/null
    start_again
    for id in $running; do wait_until_healthy "$id"; done
    running=
    say "API and workers run again"
  else
    say "API and workers did not run. Start them with: docker compose up -d --wait"
  fi
}

# Also after a failure, what ran before runs again.
clean_up() {
  if [ -n "$running" ]; then start_again; fi
  drop_restored
}

# shellcheck disable=SC2086 # ids, separated by blanks
start_again() { docker start $running > /dev/null; }

wait_until_healthy() {
  local deadline=$((SECONDS + HEALTHY_SECONDS))
  until [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; do
    [ $SECONDS -lt $deadline ] || fail "The container $1 was not healthy within $HEALTHY_SECONDS s"
    sleep 0.5
  done
}

drop_restored() {
  in_postgres env PGOPTIONS=--client-min-messages=warning dropdb -U waggle --if-exists "$RESTORED"
}

say() { echo "$(date -u +%H:%M:%S) $*"; }

fail() {
  echo "$*" >&2
  exit 1
}

compose() { docker compose --progress quiet "$@" 9>&-; }

in_postgres() { compose exec -T postgres "$@"; }

# Runs statements in one transaction.
sql() {
  local database=$1 options=()
  shift
  for statement in "$@"; do options+=(-c "$statement"); done
  in_postgres psql -q -U waggle -d "$database" -v ON_ERROR_STOP=1 --single-transaction "${options[@]}" \
    > /dev/null < /dev/null
}

main "$@"
