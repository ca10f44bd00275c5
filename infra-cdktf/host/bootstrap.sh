#!/usr/bin/env bash
# A host of Waggle on AWS, Ubuntu 24.04. As user data it prepares the host, once. It leaves itself as
# /usr/local/sbin/waggle-host, which systemd and the rollout document call:
#
#   waggle-host rollout TAG   takes this host to the images of TAG, without an interruption
#   waggle-host up            starts what ran last, with the settings as they are now
#
# It holds no values, so no change of the configuration replaces a host: the tags of the instance say who it is, and
# parameters below /waggle/ENVIRONMENT everything else.
set -Eeuo pipefail
umask 077
PATH=$PATH:/snap/bin
export AWS_PAGER='' DEBIAN_FRONTEND=noninteractive
# Where tests have their file system.
ROOT=${WAGGLE_ROOT:-}
HOME_FOLDER=$ROOT/opt/waggle
IDENTITY=$ROOT/etc/waggle/identity

main() {
  case ${1:-prepare} in
    prepare) prepare "$0" ;;
    up) identify && up ;;
    rollout) identify && rollout "${2:-}" ;;
    *) fail "Usage: waggle-host rollout TAG | up" ;;
  esac
}

say() { echo "$(date -u +%H:%M:%S) $*"; }

fail() {
  echo "$*" >&2
  exit 1
}

prepare() {
  say "Preparing this host"
  write_identity
  identify
  trap send_log EXIT
  install_packages jq xfsprogs unattended-upgrades
  command -v aws > /dev/null || insist snap install aws-cli --classic
  if keeps_redis; then mount_data_volume; fi
  write_docker_settings
  install_packages docker.io docker-compose-v2 amazon-ecr-credential-helper
  install -D -m 755 "$1" "$ROOT/usr/local/sbin/waggle-host"
  local tag
  tag=$(parameters release | jq -r '.current // empty')
  if [ -n "$tag" ]; then
    rollout "$tag"
  else
    say "Prepared. There is no release yet: the first rollout starts this host"
  fi
}

# What an instance is does not change while it lives.
write_identity() {
  local token document wrong
  token=$(curl -fsS --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token)
  metadata() { curl -fsS --retry 5 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/$1"; }
  mkdir -p "$(dirname "$IDENTITY")"
  document=$(
    cat <<LINES
ENVIRONMENT=$(metadata meta-data/tags/instance/Environment)
ROLE=$(metadata meta-data/tags/instance/Role)
HOST_NAME=$(metadata meta-data/tags/instance/Host)
INSTANCE_ID=$(metadata meta-data/instance-id)
PRIVATE_ADDRESS=$(metadata meta-data/local-ipv4)
AWS_DEFAULT_REGION=$(metadata meta-data/placement/region)
LINES
  )
  # The shell reads it later, so it must be nothing but names.
  ! wrong=$(grep -vE '^[A-Z_]+=[A-Za-z0-9._-]+$' <<< "$document") || fail "The instance does not say who it is: $wrong"
  echo "$document" > "$IDENTITY"
}

identify() {
  set -a
  # shellcheck source=/dev/null
  . "$IDENTITY"
  set +a
}

# The address of a host changes once, soon after its start: whatever is under way then breaks off.
insist() {
  local tries=5
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "$* does not succeed"
    sleep 10
  done
}

# Others may be installing at the first boot.
install_packages() {
  insist apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 update
  insist apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 install --no-install-recommends "$@"
}

# The last parts of the names below a path, with their values.
parameters() {
  aws ssm get-parameters-by-path --path "/waggle/$ENVIRONMENT/$1" --recursive --with-decryption --output json |
    jq '[.Parameters[] | {key: (.Name | split("/") | last), value: .Value}] | from_entries'
}

keeps_redis() { parameters "role/$ROLE" | jq -e '.COMPOSE_PROFILES // "" | split(",") | index("redis")' > /dev/null; }

# Docker's volumes lie on a disk of their own, which outlives the host: it is attached to the next one as it is.
mount_data_volume() {
  local device mount_point=$ROOT/var/lib/docker/volumes tries=60
  until device=$(blkid -L waggle-data) || device=$(blank_disk); do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "The volume for Redis was not attached within 5 minutes"
    sleep 5
  done
  if ! blkid -L waggle-data > /dev/null; then mkfs.xfs -q -L waggle-data "$device"; fi
  mkdir -p "$mount_point"
  grep -q LABEL=waggle-data "$ROOT/etc/fstab" ||
    echo "LABEL=waggle-data $mount_point xfs defaults,nofail,x-systemd.before=docker.service 0 2" >> "$ROOT/etc/fstab"
  mountpoint -q "$mount_point" || mount "$mount_point"
}

# A volume of EBS with nothing on it. Never one that holds anything: it would be somebody's data.
blank_disk() {
  local disk
  for disk in $(lsblk -dnpo NAME,TYPE | awk '$2 == "disk" { print $1 }'); do
    [ "$(lsblk -npo NAME "$disk" | wc -l)" = 1 ] && ! blkid -p "$disk" > /dev/null && echo "$disk" && return
  done
  return 1
}

# So that it can be read why a host does not come up, without reaching it.
send_log() {
  local name=(--log-group-name "/waggle/$ENVIRONMENT/host" --log-stream-name "$HOST_NAME/$INSTANCE_ID")
  # shellcheck disable=SC2015 # a log that cannot be sent stops nothing
  aws logs create-log-stream "${name[@]}" &&
    aws logs put-log-events "${name[@]}" --log-events "$(tail -n 200 "$ROOT/var/log/cloud-init-output.log" |
      jq -R '{message: select(. != ""), timestamp: (now * 1000 | floor)}' | jq -s .)" > /dev/null || true
}

# Containers outlive a restart of Docker. Images are pulled with the host's role: there is no token that runs out.
write_docker_settings() {
  local registry
  registry=$(parameters app | jq -er .ECR_REGISTRY)
  mkdir -p "$ROOT/etc/docker" "$ROOT/root/.docker"
  echo '{ "live-restore": true, "log-driver": "json-file", "log-opts": { "max-size": "10m", "max-file": "3" } }' \
    > "$ROOT/etc/docker/daemon.json"
  jq -n --arg registry "$registry" '{credHelpers: {($registry): "ecr-login"}}' > "$ROOT/root/.docker/config.json"
}

rollout() {
  [[ "$1" =~ ^[0-9a-f]{7,40}$ ]] || fail "\"$1\" is not a commit: 7 to 40 hexadecimal digits"
  install -d -m 700 "$ROOT/run/waggle"
  exec 8> "$ROOT/run/waggle/rollout.lock"
  flock -n 8 || fail "Another rollout is under way"
  fetch "$1"
  if [ -e "$HOME_FOLDER/current" ]; then
    cd "$HOME_FOLDER/releases/$1"
    # The settings as they are now; the tag is still that of what runs.
    host/render-env.sh "$(basename "$(readlink "$HOME_FOLDER/current")")"
    ensure_database_role
    docker/rollout.sh "$1"
    make_current "$1"
  else
    say "Starting $1 on a host where nothing runs"
    ln -s "releases/$1" "$HOME_FOLDER/current"
    bash "$0" up || {
      rm "$HOME_FOLDER/current"
      fail "$1 does not start"
    }
    make_current "$1"
    systemctl start waggle.service
  fi
  aws ssm put-parameter --overwrite --type String --name "/waggle/$ENVIRONMENT/ready/$INSTANCE_ID" --value "$1" > /dev/null
  say "$HOST_NAME runs $1"
}

# The compose files and scripts of a version are in its image of the page.
fetch() {
  local image container next=$HOME_FOLDER/releases/.next
  [ ! -d "$HOME_FOLDER/releases/$1" ] || return 0
  image=$(parameters app | jq -er .ECR_REGISTRY)/waggle-web:$1
  docker pull -q "$image" > /dev/null || fail "There is no image $image"
  rm -rf "$next"
  mkdir -p "$next"
  container=$(docker create "$image")
  docker cp -q "$container:/usr/share/waggle/host/." "$next"
  docker rm "$container" > /dev/null
  ln -s "$ROOT/run/waggle/env" "$next/.env"
  mv "$next" "$HOME_FOLDER/releases/$1"
}

# Only now: what a broken version brings along is never installed.
make_current() {
  local old
  old=$(readlink "$HOME_FOLDER/current" || true)
  ln -sfn "releases/$1" "$HOME_FOLDER/next"
  mv -fT "$HOME_FOLDER/next" "$HOME_FOLDER/current"
  find "$HOME_FOLDER/releases" -mindepth 1 -maxdepth 1 ! -name "$1" ! -name "$(basename "${old:-$1}")" -exec rm -r {} +
  cd "$HOME_FOLDER/current"
  install -D -m 755 host/bootstrap.sh "$ROOT/usr/local/sbin/waggle-host"
  install -D -m 644 -t "$ROOT/etc/systemd/system" host/systemd/*
  systemctl daemon-reload
  systemctl enable -q waggle.service
  systemctl enable -q --now waggle-metrics.timer waggle-prune.timer
}

up() {
  cd "$HOME_FOLDER/current" || fail "There is no release on this host yet"
  host/render-env.sh "$(basename "$(pwd -P)")"
  ensure_database_role
  docker compose --progress quiet up -d --wait --wait-timeout 300 --no-build --quiet-pull
}

ensure_database_role() {
  if grep -qE "^COMPOSE_PROFILES='?([a-z,]+,)?api(,|'|$)" .env; then host/database-role.sh; fi
}

main "$@"
