#!/usr/bin/env bash
# Replaces what runs on this host by the images of another tag, without an interruption:
#
#   docker/rollout.sh TAG        new beside old, wait until they are healthy, switch nginx over, let the old ones end
#   docker/rollout.sh rollback   the same, with the tag that ran before
#
# Exit code 0: the new tag runs. Anything else: the API and the page are still the old ones, and the last line says why.
# Only what is code is replaced: API, worker and page. Redis, Postgres and nginx itself are left alone.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
umask 077

HEALTHY_SECONDS=${HEALTHY_SECONDS:-60}
# For requests that were on their way to the old API when nginx was told of the new one.
SWITCH_SECONDS=1

# Containers by role, and the roles that are replaced for good.
declare -A old new
replaced=

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
  [[ "$tag" =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || fail "\"$tag\" is not the tag of an image"
  export WAGGLE_TAG=$tag
  # What is not right in .env ends us here, before anything was begun.
  services=$(compose config --services)
  mapfile -t roles < <(grep -xE 'api|worker' <<< "$services")
  edge=
  if grep -qx nginx <<< "$services"; then edge=$(compose ps -q nginx); fi
  trap give_up ERR
  trap 'give_up "It was interrupted"' INT TERM HUP

  say "Rolling out $tag over $current: ${roles[*]:-no code runs here}"
  fetch_images
  if [ ${#roles[@]} -gt 0 ]; then migrate; fi
  for role in "${roles[@]}"; do start_beside "$role"; done
  for role in "${roles[@]}"; do wait_until_healthy "$role"; done
  if [ -n "$edge" ]; then fetch_page; fi
  # Workers first: they understand what the old API submits, and not the other way round.
  if runs worker; then end_old worker; fi
  if runs api; then
    if [ -n "$edge" ]; then switch_edge_over; fi
    end_old api
  fi
  remember
  trap - ERR INT TERM HUP
  if [ -n "$edge" ]; then finish_edge; fi
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

fetch_images() {
  local image
  for image in $(compose config --images | grep -F ":$tag" | sort -u); do
    docker image inspect "$image" > /dev/null 2>&1 || docker pull -q "$image" > /dev/null ||
      give_up "There is no image $image"
  done
}

# The tables of the new version are made while the old one runs: migrations only expand. They wait for one another, so
# whichever host is first makes them, also one with workers only.
migrate() { compose run --rm --no-deps -T migrate > /dev/null || give_up "The migration failed"; }

start_beside() {
  old[$1]=$(ids_of "$1")
  local count has_failed=
  count=$(wc -w <<< "${old[$1]}")
  compose up -d --no-deps --no-recreate --no-build --scale "$1=$((count > 0 ? 2 * count : 1))" "$1" ||
    has_failed=yes
  new[$1]=$(started_of "$1")
  [ -z "$has_failed" ] && [ -n "${new[$1]// /}" ] || give_up "The new $1 does not start"
}

# All containers of a role, with blanks between.
ids_of() { compose ps -aq "$1" | tr '\n' ' '; }

# Those that were not there before, also while nobody has noted them yet.
started_of() {
  comm -13 <(tr ' ' '\n' <<< "${old[$1]}" | sort) <(ids_of "$1" | tr ' ' '\n' | sort) | tr '\n' ' '
}

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

# The new page, beside the one that is served.
fetch_page() {
  web_image=$(docker inspect -f '{{.Config.Image}}' "$edge")
  web_image=${web_image%:*}:$tag
  docker exec "$edge" sh -c 'rm -rf /page/.next && mkdir /page/.next'
  docker run --rm --network none --entrypoint tar "$web_image" -C /usr/share/waggle/page -c . |
    docker exec -i "$edge" tar -C /page/.next -x -m -f -
}

# All old ones at once; each has its own time of grace. From here on the new ones stay, whatever else may fail.
end_old() {
  replaced+=" $1"
  [ -n "${old[$1]// /}" ] || return 0
  # shellcheck disable=SC2086 # ids, with blanks between
  docker stop -t "$(grace_of "$1")" ${old[$1]} > /dev/null
  # shellcheck disable=SC2086
  docker rm -f ${old[$1]} > /dev/null
}

grace_of() { docker inspect -f '{{or .Config.StopTimeout 45}}' "${old[$1]%% *}"; }

# By address: the name leads to the old ones as long as they are there.
switch_edge_over() {
  local addresses
  # shellcheck disable=SC2086 # ids, with blanks between
  addresses=($(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' ${new[api]}))
  docker exec "$edge" choose-api "${addresses[0]}:8000"
  for verb in GET HEAD; do
    edge_answers "$verb" || give_up "$verb /health through nginx is not answered by the new API"
  done
  sleep "$SWITCH_SECONDS"
}

# As a monitor asks: at the published port.
edge_answers() {
  local address host status
  address=$(compose port nginx 8080)
  host=${address%:*}
  [ "$host" != 0.0.0.0 ] || host=127.0.0.1
  exec 3<> "/dev/tcp/$host/${address##*:}" || return 1
  printf '%s /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
  read -r -t 5 _ status _ <&3 || return 1
  exec 3>&-
  [ "$status" = 200 ]
}

# Where .env is a link, what it leads to is written: on AWS that lies in memory.
remember() {
  [ "$tag" = "$current" ] && return
  local file
  file=$(readlink -f .env)
  { grep -vE '^WAGGLE_(PREVIOUS_)?TAG=' .env || true; } > "$file.new"
  printf 'WAGGLE_TAG=%s\nWAGGLE_PREVIOUS_TAG=%s\n' "$tag" "$current" >> "$file.new"
  mv "$file.new" "$file"
}

finish_edge() {
  docker exec "$edge" choose-api
  docker exec "$edge" lay-out-page next
  docker exec "$edge" find /page/assets -type f -mtime +7 -delete
  [ "$(edge_settings docker exec "$edge")" = \
    "$(edge_settings docker run --rm --network none --entrypoint '' "$web_image")" ] ||
    say "The settings of nginx have changed: docker compose up -d nginx brings them, and interrupts for a second or two"
}

edge_settings() { "$@" sh -c 'cat /etc/nginx/templates/* /etc/nginx/waggle/*' | cksum; }

# What was started goes, what ran stays.
give_up() {
  trap - ERR INT TERM HUP
  local role ids
  [ -z "$edge" ] || docker exec "$edge" choose-api || true
  for role in "${!old[@]}"; do
    [[ "$replaced " != *" $role "* ]] || continue
    # An interruption comes between any two commands: what was started then is asked for, and not remembered.
    ids=$(started_of "$role") || true
    # shellcheck disable=SC2086 # ids, with blanks between
    [ -z "${ids// /}" ] || docker rm -f $ids > /dev/null 2>&1 || true
  done
  fail "${1:-A step failed}: $current goes on running${replaced:+, but for this, which is of $tag:$replaced}"
}

main "$@"
