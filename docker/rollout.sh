#!/usr/bin/env bash
# Replaces what runs on this host by the images of another tag, without an interruption:
#
#   docker/rollout.sh TAG        new beside old, wait until they are healthy, switch nginx over, let the old ones end
#   docker/rollout.sh rollback   the same, with the tag that ran before
#
# Exit code 0: the new tag runs. Anything else: the old one still does, and the last line says why. Only what is code
# is replaced: API, worker and page. Redis, Postgres and nginx itself are left alone.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

HEALTHY_SECONDS=${HEALTHY_SECONDS:-60}
# What nginx needs to let its old processes take no more; they end what they have begun.
SWITCH_SECONDS=2

main() {
  [ $# = 1 ] || fail "Usage: docker/rollout.sh TAG|rollback"
  exec 9> .rollout.lock
  flock -n 9 || fail "Another rollout is under way"
  current=$(setting WAGGLE_TAG)
  current=${current:-local}
  tag=$1
  if [ "$tag" = rollback ]; then
    tag=$(setting WAGGLE_PREVIOUS_TAG)
    [ -n "$tag" ] || fail "There is no tag to go back to"
  fi
  export WAGGLE_TAG=$tag
  mapfile -t roles < <(compose config --services | grep -xE 'api|worker')
  trap give_up ERR

  say "Rolling out $tag over $current: ${roles[*]:-no code runs here}"
  fetch_images
  if runs api; then migrate; fi
  for role in "${roles[@]}"; do start_beside "$role"; done
  for role in "${roles[@]}"; do wait_until_healthy "$role"; done
  # Workers first: they understand what the old API submits, and not the other way round.
  if runs worker; then end_old worker; fi
  if runs api; then
    if edge_is_here; then switch_edge_to_new; fi
    end_old api
    if edge_is_here; then switch_edge_back; fi
  fi
  trap - ERR
  if edge_is_here; then bring_page; fi
  remember
  say "$tag runs"
}

say() { echo "$(date -u +%H:%M:%S) $*"; }

fail() {
  echo "$*" >&2
  exit 1
}

compose() { docker compose --progress quiet "$@" 9>&-; }

# From .env, as compose reads it.
setting() { sed -n "s/^$1=//p" .env 2>/dev/null | tail -n 1; }

runs() { [[ " ${roles[*]} " == *" $1 "* ]]; }

edge_is_here() { [ -n "$(compose ps -q nginx)" ]; }

fetch_images() {
  local image
  for image in $(compose config --images | grep -E ":$tag\$" | sort -u); do
    docker image inspect "$image" > /dev/null 2>&1 || docker pull -q "$image" > /dev/null ||
      give_up "There is no image $image"
  done
}

# The tables of the new version are made while the old one runs: migrations only expand. They wait for one another.
migrate() { compose run --rm --no-deps -T migrate > /dev/null || give_up "The migration failed"; }

declare -A old new
start_beside() {
  old[$1]=$(ids_of "$1")
  local count has_failed=
  count=$(wc -w <<< "${old[$1]}")
  compose up -d --no-deps --no-recreate --no-build --scale "$1=$((count > 0 ? 2 * count : 1))" "$1" ||
    has_failed=yes
  new[$1]=$(comm -13 <(tr ' ' '\n' <<< "${old[$1]}" | sort) <(ids_of "$1" | tr ' ' '\n' | sort) | tr '\n' ' ')
  [ -z "$has_failed" ] && [ -n "${new[$1]// /}" ] || give_up "The new $1 does not start"
}

# All containers of a role, with blanks between.
ids_of() { compose ps -aq "$1" | tr '\n' ' '; }

wait_until_healthy() {
  local id deadline=$((SECONDS + HEALTHY_SECONDS))
  for id in ${new[$1]}; do
    until is_healthy "$id"; do
      [ "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' "$id")" = "true 0" ] ||
        give_up "The new $1 does not stay up: $(docker logs --tail 5 "$id" 2>&1 | tail -n 5)"
      [ $SECONDS -lt $deadline ] || give_up "The new $1 was not healthy within $HEALTHY_SECONDS s"
      sleep 0.5
    done
  done
}

# It works, and it reaches Postgres.
is_healthy() {
  [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ] &&
    docker exec "$1" health-check /health/ready
}

# All old ones at once; each has its own time of grace. From here on the new ones stay, whatever else may fail.
end_old() {
  unset "new[$1]"
  [ -n "${old[$1]// /}" ] || return 0
  # shellcheck disable=SC2086 # ids, with blanks between
  docker stop -t "$(grace_of "$1")" ${old[$1]} > /dev/null
  # shellcheck disable=SC2086
  docker rm -f ${old[$1]} > /dev/null
}

grace_of() { docker inspect -f '{{or .Config.StopTimeout 45}}' "${old[$1]%% *}"; }

# By address, so that nothing new is sent to the old ones from here on. A name would lead to both.
switch_edge_to_new() {
  local id addresses=()
  for id in ${new[api]}; do
    addresses+=("$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$id"):8000")
  done
  tell_edge "echo 'set \$api ${addresses[0]};' > /tmp/api-during-rollout.conf"
}

switch_edge_back() { tell_edge "rm -f /tmp/api-during-rollout.conf"; }

tell_edge() {
  local id
  for id in $(compose ps -q nginx); do
    docker exec "$id" sh -c "$1 && nginx -q -t -c /tmp/nginx.conf && nginx -q -c /tmp/nginx.conf -s reload"
  done
  sleep "$SWITCH_SECONDS"
}

# Into the running nginx: what the old page names stays, for those who have it open.
bring_page() {
  local id image
  image=$(compose config --images | grep -E "web:$tag\$" | head -n 1)
  for id in $(compose ps -q nginx); do
    docker run --rm --network none --entrypoint tar "$image" -C /usr/share/waggle/page -c . |
      docker exec -i "$id" tar -C /page -x -m -f -
    docker exec "$id" find /page/assets -type f -mtime +7 -delete
  done
}

remember() {
  [ "$tag" = "$current" ] && return
  touch .env
  { grep -vE '^WAGGLE_(PREVIOUS_)?TAG=' .env || true; } > .env.new
  printf 'WAGGLE_TAG=%s\nWAGGLE_PREVIOUS_TAG=%s\n' "$tag" "$current" >> .env.new
  chmod 600 .env.new
  mv .env.new .env
}

# What was started goes, what ran stays.
give_up() {
  trap - ERR
  local role ids
  for id in $(compose ps -q nginx); do
    docker exec "$id" sh -c 'rm -f /tmp/api-during-rollout.conf && nginx -q -c /tmp/nginx.conf -s reload' || true
  done
  for role in "${!new[@]}"; do
    ids=${new[$role]}
    # shellcheck disable=SC2086
    [ -z "${ids// /}" ] || docker rm -f $ids > /dev/null 2>&1 || true
  done
  fail "${1:-A step failed}: $current goes on running"
}

main "$@"
