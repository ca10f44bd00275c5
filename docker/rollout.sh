#!/usr/bin/env bash
# Replaces the API, the workers and the page on this host with those of another image tag, without an
# interruption:
#
#   docker/rollout.sh TAG        starts new containers in addition to the old ones, waits until they are healthy,
#                                switches nginx to the new API, stops the old containers
#   docker/rollout.sh rollback   does the same with the tag that ran before
#
# In a project it is node_modules/waggle-tasks/docker/rollout.sh.
#
# Exit code 0: the new tag runs. 3: the new tag runs, but nginx does not run or does not serve DOMAIN; the
# last line says why. Any other code: the rollout failed, and the last line says why and what runs now. A
# failure before the old workers stop leaves all old containers and the old page in use; migrations stay
# applied. A failure while nginx is switched leaves the old API and page, with the new workers.
# The containers of Redis, Postgres and nginx are not replaced, except nginx after a change of DOMAIN. The
# container `certificates` is replaced at the end; its volume is not touched.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
case $PWD in */node_modules/waggle-tasks) cd ../.. ;; esac
umask 077

HEALTHY_SECONDS=${HEALTHY_SECONDS:-60}
# An order takes about ten seconds. The first attempt after a failure follows after two minutes.
CERTIFICATE_SECONDS=${CERTIFICATE_SECONDS:-60}
# When nginx is replaced, open requests get this time. It accepts no new connections meanwhile, so the 60 s
# that nginx itself would wait would be an outage of 60 s.
NGINX_STOP_SECONDS=5
# How long the old API keeps running after nginx is switched, for requests that are still on their way to it.
SWITCH_SECONDS=1

# Container ids by role, and the roles whose old containers are stopped and do not come back.
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
    [ -n "$tag" ] || fail "There is no previous tag to roll back to"
  fi
  [[ "$tag" =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || fail "\"$tag\" is not a valid image tag"
  export WAGGLE_TAG=$tag
  # An invalid .env ends the script here, before anything has changed.
  services=$(compose config --services)
  # Every service whose name begins with worker- is a kind of worker.
  mapfile -t roles < <(grep -xE 'api|worker(-[A-Za-z0-9_.-]+)?' <<< "$services")
  edge=
  if is_active nginx; then edge=$(compose ps -q nginx); fi
  trap abort_rollout ERR
  trap 'abort_rollout "The rollout was interrupted"' INT TERM HUP

  say "Rolling out $tag, replacing $current: ${roles[*]:-no API and no worker on this host}"
  fetch_images
  if [ ${#roles[@]} -gt 0 ]; then migrate; fi
  for role in "${roles[@]}"; do start_new "$role"; done
  for role in "${roles[@]}"; do wait_until_healthy "$role"; done
  if [ -n "$edge" ]; then fetch_page; fi
  # Stop the old workers first: new workers can run tasks that the old API submits, but old workers may not
  # know tasks that the new API submits.
  for role in "${roles[@]}"; do
    if [ "$role" != api ]; then end_old "$role"; fi
  done
  if runs api; then
    if [ -n "$edge" ]; then switch_edge; fi
    end_old api
  fi
  remember
  trap - ERR INT TERM HUP
  if [ -n "$edge" ]; then finish_edge; fi
  report_inactive_services
  if is_active nginx; then update_edge; fi
  say "$tag is running"
}

say() { echo "$(date -u +%H:%M:%S) $*"; }

fail() {
  echo "$*" >&2
  exit 1
}

# Ends a rollout after which the new tag runs, but nginx does not run or does not serve DOMAIN.
fail_at_edge() {
  echo "$tag is running, but $*" >&2
  exit 3
}

compose() { docker compose --progress quiet "$@" 9>&-; }

# Reads a setting from .env. As in compose, the last line of a name counts.
setting() { sed -n "s/^$1=//p" .env 2>/dev/null | tail -n 1; }

# Whether the active profiles and compose files contain the service.
is_active() { grep -qxF "$1" <<< "$services"; }

# Whether this host runs the role.
runs() { [[ " ${roles[*]} " == *" $1 "* ]]; }

fetch_images() {
  local image
  for image in $(compose config --images | grep -F ":$tag" | sort -u); do
    docker image inspect "$image" > /dev/null 2>&1 || docker pull -q "$image" > /dev/null ||
      abort_rollout "Cannot pull the image $image"
  done
}

# Migrates while the old version runs: migrations only expand, so the old version works on the new tables.
# Migrations hold a lock, so the first host migrates and the others wait; a host with workers only migrates
# too.
migrate() { compose run --rm --no-deps -T migrate > /dev/null || abort_rollout "The migration failed"; }

# Starts as many new containers of a role as old ones run, or one where none runs.
start_new() {
  old[$1]=$(ids_of "$1")
  local count has_failed=
  count=$(wc -w <<< "${old[$1]}")
  compose up -d --no-deps --no-recreate --no-build --scale "$1=$((count > 0 ? 2 * count : 1))" "$1" ||
    has_failed=yes
  new[$1]=$(new_ids_of "$1")
  [ -z "$has_failed" ] && [ -n "${new[$1]// /}" ] || abort_rollout "The new $1 does not start"
}

# Prints the ids of all containers of a role, separated by blanks.
ids_of() { compose ps -aq "$1" | tr '\n' ' '; }

# Prints the ids of the containers of a role that did not exist before the rollout, including those that the
# variable `new` does not contain yet.
new_ids_of() {
  comm -13 <(tr ' ' '\n' <<< "${old[$1]}" | sort) <(ids_of "$1" | tr ' ' '\n' | sort) | tr '\n' ' '
}

wait_until_healthy() {
  local id deadline=$((SECONDS + HEALTHY_SECONDS))
  for id in ${new[$1]}; do
    until is_healthy "$id"; do
      [ "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' "$id")" = "true 0" ] ||
        abort_rollout "The new $1 does not stay up: $(docker logs --tail 5 "$id" 2>&1 | tail -n 5)"
      [ $SECONDS -lt $deadline ] || abort_rollout "The new $1 was not healthy within $HEALTHY_SECONDS s"
      sleep 0.5
    done
  done
}

# Whether a container passes its health check and reaches Postgres.
is_healthy() {
  [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ] &&
    docker exec "$1" health-check /health/ready
}

# Copies the new page into the nginx container, in a folder next to the page that is served.
fetch_page() {
  web_image=$(docker inspect -f '{{.Config.Image}}' "$edge")
  web_image=${web_image%:*}:$tag
  docker exec "$edge" sh -c 'rm -rf /page/.next && mkdir /page/.next'
  docker run --rm --network none --entrypoint tar "$web_image" -C /usr/share/waggle/page -c . |
    docker exec -i "$edge" tar -C /page/.next -x -m -f -
}

# Stops the old containers of a role, all at the same time, with the stop timeout of that role. From here on a
# failure no longer removes the new containers of this role.
end_old() {
  replaced+=" $1"
  [ -n "${old[$1]// /}" ] || return 0
  # shellcheck disable=SC2086 # ids, separated by blanks
  docker stop -t "$(grace_of "$1")" ${old[$1]} > /dev/null
  # shellcheck disable=SC2086
  docker rm -f ${old[$1]} > /dev/null
}

grace_of() { docker inspect -f '{{or .Config.StopTimeout 45}}' "${old[$1]%% *}"; }

# Points nginx to the new API by its address: while old containers run, the service name also resolves to
# them.
switch_edge() {
  local addresses
  # shellcheck disable=SC2086 # ids, separated by blanks
  addresses=($(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' ${new[api]}))
  docker exec "$edge" choose-api "${addresses[0]}:8000"
  for verb in GET HEAD; do
    edge_responds "$verb" || abort_rollout "The new API does not respond to $verb /health through nginx"
  done
  sleep "$SWITCH_SECONDS"
}

# Requests /health at the published port of nginx, as a monitor does. Succeeds if the status is 200.
edge_responds() {
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

# Writes the new and the previous tag to .env. If .env is a link, its target is replaced, not the link: on AWS
# the target is a file in memory.
remember() {
  [ "$tag" = "$current" ] && return
  local file
  file=$(readlink -f .env)
  { grep -vE '^WAGGLE_(PREVIOUS_)?TAG=' .env || true; } > "$file.new"
  printf 'WAGGLE_TAG=%s\nWAGGLE_PREVIOUS_TAG=%s\n' "$tag" "$current" >> "$file.new"
  mv "$file.new" "$file"
}

# Points nginx back to the service name, publishes the new page and deletes assets that are older than a week.
finish_edge() {
  docker exec "$edge" choose-api
  docker exec "$edge" lay-out-page next
  docker exec "$edge" find /page/assets -type f -mtime +7 -delete
  [ "$(edge_settings docker exec "$edge")" = \
    "$(edge_settings docker run --rm --network none --entrypoint '' "$web_image")" ] ||
    say "The nginx configuration has changed. Apply it with: docker compose up -d -t $NGINX_STOP_SECONDS nginx (interrupts requests for up to ten seconds)"
}

# Workers, and the container of the certificates, keep running after their profile or compose file was
# removed.
report_inactive_services() {
  local service name
  while read -r service name; do
    [[ "$service" = worker* || "$service" = certificates ]] || continue
    is_active "$service" ||
      say "$name keeps running unchanged, because the active profiles and compose files do not contain $service. Stop it with: docker rm -f $name"
  done < <(compose ps --format '{{.Service}} {{.Name}}')
}

# Updates the container `certificates`. Starts nginx if it does not run, and replaces it after a change of
# DOMAIN. If nginx already serves HTTPS, it also serves the challenges of the new domain: then it is replaced
# only when there is a certificate for that domain. If nginx serves HTTP only, it must be replaced before the
# order.
update_edge() {
  local domain served
  domain=$(nginx_setting DOMAIN)
  served=$(running_nginx_setting DOMAIN)
  if [ -n "$edge" ] && [ "$served" = "$domain" ]; then
    update_certificates
  elif [ -n "$domain" ] && [ "$(running_nginx_setting NGINX_SERVERS)" = https ]; then
    update_certificates
    has_certificate "$domain" ||
      fail_at_edge "nginx still serves $served, because there is no certificate for $domain after $CERTIFICATE_SECONDS s. Repeat the rollout after the correction. $(last_line_of_certificates)"
    start_nginx "$domain"
  else
    start_nginx "$domain"
    update_certificates
    [ -z "$domain" ] || has_certificate "$domain" ||
      fail_at_edge "there is no certificate for $domain after $CERTIFICATE_SECONDS s, and until there is one, nginx responds to requests with 503. $(last_line_of_certificates)"
  fi
}

# Prints an environment variable of nginx: that of the compose files, or that of the running container.
nginx_setting() { compose config nginx | sed -n "s/^ *$1: //p" | tr -d '"'; }
running_nginx_setting() { [ -z "$edge" ] || docker exec "$edge" printenv "$1" || true; }

# Starts nginx, or replaces the running one, for a domain, which is empty without HTTPS.
start_nginx() {
  local purpose output
  if [ -n "$edge" ]; then
    test_https_port
    [ -n "$1" ] && purpose="for the domain \"$1\"" || purpose='without HTTPS'
    say "Replacing nginx $purpose: this interrupts requests for up to ten seconds"
  fi
  output=$(compose up -d -t "$NGINX_STOP_SECONDS" --wait --no-deps --no-build nginx 2>&1) ||
    fail_at_edge "nginx does not run: $output"
}

# Publishes the port of HTTPS for a moment, unless nginx already does. Docker stops the running nginx before
# it publishes the ports of the new one, so an occupied port must be found before.
test_https_port() {
  local port output
  port=$(nginx_setting WAGGLE_HTTPS_PORT)
  [ "$(running_nginx_setting WAGGLE_HTTPS_PORT)" != "$port" ] || return 0
  output=$(docker run --rm --network "$(docker inspect -f '{{.HostConfig.NetworkMode}}' "$edge")" -p "$port:8443" \
    --entrypoint true "$web_image" 2>&1) ||
    fail_at_edge "nginx was not replaced, because Docker cannot publish WAGGLE_HTTPS_PORT ($port): ${output%%$'\n'*}"
}

# A failure is only reported: requests do not depend on this container, and the new tag already runs. The
# image of the new tag can be older than the command `certificates`.
update_certificates() {
  is_active certificates || return 0
  local kept
  kept=$(compose ps -q certificates)
  if [ -n "$kept" ]; then kept=$(docker inspect -f '{{.Config.Image}}' "$kept"); fi
  run_certificates && return
  if [ -n "$kept" ] && WAGGLE_TAG=${kept##*:} run_certificates; then
    say "The container of the certificates still runs ${kept##*:}, because that of $tag does not become healthy"
  else
    say "The container of the certificates is not healthy: docker compose logs certificates"
  fi
}

run_certificates() { compose up -d --wait --wait-timeout 60 --no-deps --no-build certificates; }

# Waits until there is a certificate for the domain that has not expired.
has_certificate() {
  local deadline=$((SECONDS + CERTIFICATE_SECONDS))
  until compose exec -T certificates node -e \
    'const { X509Certificate } = require("node:crypto")
     const { validToDate } = new X509Certificate(require("node:fs").readFileSync(process.argv[1]))
     process.exit(validToDate > new Date() ? 0 : 1)' \
    "/certificates/$1.pem" 2> /dev/null; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 1
  done
}

last_line_of_certificates() { docker logs --tail 1 "$(compose ps -aq certificates)" 2>&1; }

edge_settings() { "$@" sh -c 'cat /etc/nginx/templates/* /etc/nginx/waggle/*' | cksum; }

# Removes the new containers, except those of roles whose old containers have been stopped, and exits with a
# message.
abort_rollout() {
  trap - ERR INT TERM HUP
  local role ids
  [ -z "$edge" ] || docker exec "$edge" choose-api || true
  for role in "${!old[@]}"; do
    [[ "$replaced " != *" $role "* ]] || continue
    # An interruption can come between a start and the assignment to `new`, so list the new containers again.
    ids=$(new_ids_of "$role") || true
    # shellcheck disable=SC2086 # ids, separated by blanks
    [ -z "${ids// /}" ] || docker rm -f $ids > /dev/null 2>&1 || true
  done
  fail "${1:-A step failed}: $current keeps running${replaced:+, except for these roles, which now run $tag:$replaced}"
}

main "$@"
