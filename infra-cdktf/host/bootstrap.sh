#!/usr/bin/env bash
# Prepares and operates a Waggle host on AWS with Ubuntu 24.04. As user data it prepares the host, once. It
# installs itself as /usr/local/sbin/waggle-host, which systemd and the rollout document call:
#
#   waggle-host rollout TAG   replaces the containers with the images of TAG, without downtime
#   waggle-host up            starts the current release, with the settings from Parameter Store
#   waggle-host prepare       prepares the host if that has failed before, and starts the current release
#
# A rollout and the next boot repeat a preparation that has failed.
# It contains no configuration values, so a change of the configuration does not replace a host. The identity
# of the host is in the tags of the instance, everything else in parameters below /waggle/ENVIRONMENT.
set -Eeuo pipefail
umask 077
PATH=$PATH:/snap/bin
export AWS_PAGER='' DEBIAN_FRONTEND=noninteractive
# Tests set WAGGLE_ROOT to a temporary folder. On a host it is empty.
ROOT=${WAGGLE_ROOT:-}
HOME_FOLDER=$ROOT/opt/waggle
IDENTITY=$ROOT/etc/waggle/identity
PREPARED=$ROOT/etc/waggle/prepared
PROGRAM=$ROOT/usr/local/sbin/waggle-host
PAUSE_SECONDS=${WAGGLE_PAUSE_SECONDS:-10}

main() {
  case ${1:-prepare} in
    prepare)
      ensure_prepared "$0"
      start_release
      report_launch
      ;;
    up) identify && up ;;
    rollout)
      ensure_prepared "$0"
      rollout "${2:-}"
      # A rollout can repair a new worker whose boot has failed.
      report_launch
      ;;
    *) fail "Usage: waggle-host rollout TAG | up | prepare" ;;
  esac
}

log() { echo "$(date -u +%H:%M:%S) $*"; }

fail() {
  echo "$*" >&2
  exit 1
}

# Prepares the host once. A second process waits until the first one has finished.
ensure_prepared() {
  mkdir -p "$ROOT/etc/waggle"
  exec 7> "$ROOT/etc/waggle/prepare.lock"
  flock 7
  [ -e "$PREPARED" ] || prepare "$1"
  exec 7>&-
  identify
}

# Every step can be repeated.
prepare() {
  log "Preparing this host"
  install_program "$1"
  write_identity
  identify
  trap send_log EXIT
  install_packages jq xfsprogs unattended-upgrades
  allow_reboots
  command -v aws > /dev/null || with_retries snap install aws-cli --classic
  local settings registry
  wait_for_settings
  if jq -e "$RUNS_REDIS" <<< "$settings" > /dev/null; then mount_data_volume "$(jq -r .DATA_VOLUME <<< "$settings")"; fi
  write_docker_settings "$registry"
  install_packages docker.io docker-compose-v2 amazon-ecr-credential-helper
  touch "$PREPARED"
}

# Installs this script, and a unit that repeats a failed preparation at the next boot.
install_program() {
  [ "$1" -ef "$PROGRAM" ] || install -D -m 755 "$1" "$PROGRAM"
  mkdir -p "$ROOT/etc/systemd/system"
  cat > "$ROOT/etc/systemd/system/waggle-prepare.service" << 'UNIT'
[Unit]
Description=Repeat the preparation of this host, which has failed at the first boot
ConditionPathExists=!/etc/waggle/prepared
Wants=network-online.target
After=network-online.target cloud-final.service

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/waggle-host prepare

[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable -q waggle-prepare.service
}

start_release() {
  local tag
  tag=$(parameters release | jq -r '.current // empty')
  if [ -n "$tag" ]; then
    wait_for_addresses
    rollout "$tag"
  else
    log "Prepared. There is no release yet; the first rollout starts this host"
  fi
}

# The auto scaling group of the workers counts a new host as in service only after this report, and replaces a
# host that does not send it in time. A host that is already in service has no launch to report.
report_launch() {
  [ "$ROLE $HOST_NAME" = 'worker worker' ] || return 0
  aws autoscaling complete-lifecycle-action --auto-scaling-group-name "waggle-$ENVIRONMENT-workers" \
    --lifecycle-hook-name prepared --instance-id "$INSTANCE_ID" --lifecycle-action-result CONTINUE ||
    log "There is no launch to report to the auto scaling group"
}

# Writes the identity once: it does not change during the life of an instance.
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
  # The shell sources this file later, so reject values that could be commands.
  ! wrong=$(grep -vE '^[A-Z_]+=[A-Za-z0-9._-]+$' <<< "$document") || fail "The metadata of the instance is not valid: $wrong"
  echo "$document" > "$IDENTITY"
}

identify() {
  set -a
  # shellcheck source=/dev/null
  . "$IDENTITY"
  set +a
}

# Tries up to 5 times. The API's host gets its Elastic IP address soon after its start, which breaks open
# connections.
with_retries() {
  local tries=5
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "Failed 5 times: $*"
    sleep "$PAUSE_SECONDS"
  done
}

# Other processes may hold the lock of apt at the first boot.
install_packages() {
  with_retries apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 update
  with_retries apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 install --no-install-recommends "$@"
}

# Lets unattended-upgrades reboot between 00:00 and 06:00 UTC after an update that needs it, for example of
# the kernel. The hour is the number of the host modulo 6, so that up to six numbered hosts of a role reboot
# in different hours. Hosts of an auto scaling group have no number: they reboot in the first hour. The minute
# follows from the id of the instance.
allow_reboots() {
  local number=${HOST_NAME##*[!0-9]} sum
  sum=$(cksum <<< "$INSTANCE_ID")
  printf 'Unattended-Upgrade::Automatic-Reboot "true";\nUnattended-Upgrade::Automatic-Reboot-Time "%02d:%02d";\n' \
    $((10#${number:-0} % 6)) $((${sum%% *} % 60)) |
    install -D -m 644 /dev/stdin "$ROOT/etc/apt/apt.conf.d/52waggle-reboots"
}

# Prints the parameters below a path as a JSON object. Keys are the last parts of the names. The role of a
# host with only Redis may read a few parameters of the application, and only by name.
parameters() {
  local path=/waggle/$ENVIRONMENT/$1 operation
  operation=(get-parameters-by-path --path "$path" --recursive --with-decryption)
  if [ "$1 $ROLE" = 'app redis' ]; then operation=(get-parameters --names "$path/ECR_REGISTRY"); fi
  aws ssm "${operation[@]}" --output json |
    jq '[.Parameters[] | {key: (.Name | split("/") | last), value: .Value}] | from_entries'
}

RUNS_REDIS='.COMPOSE_PROFILES | split(",") | index("redis")'

# Reads the settings of the role and the registry. Waits up to 10 minutes, because Terraform can create the
# settings, and the policy that allows this host to read them, after the instance.
wait_for_settings() {
  local tries=60
  until settings=$(parameters "role/$ROLE") && registry=$(parameters app | jq -er .ECR_REGISTRY) &&
    jq -e "(.COMPOSE_PROFILES != null) and ((($RUNS_REDIS) == null) or .DATA_VOLUME != null)" <<< "$settings" > /dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "The settings of this host are not in Parameter Store, or its role may not read them: /waggle/$ENVIRONMENT/role/$ROLE"
    sleep "$PAUSE_SECONDS"
  done
}

# Waits up to 30 minutes for the settings that Terraform writes last, because it creates the database and the
# cache at the same time as this host. They are missing if an environment that has a release is created again.
wait_for_addresses() {
  [ "$ROLE" != redis ] || return 0
  local names='"DATABASE_HOST", "REDIS_HOST"' tries=180
  case $ROLE in app | api) names+=', "MASTER_SECRET_ARN"' ;; esac
  until { parameters app && parameters "role/$ROLE"; } | jq -se "add | [has($names)] | all" > /dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "Not all of these parameters exist below /waggle/$ENVIRONMENT: $names"
    sleep "$PAUSE_SECONDS"
  done
}

# Docker's volumes are on a separate EBS volume. It outlives the host, and a replacement mounts it unchanged.
mount_data_volume() {
  local disk content status=0 mount_point=$ROOT/var/lib/docker/volumes tries=60
  until disk=$(disk_of "$1"); do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "The volume $1 was not attached within 10 minutes"
    sleep "$PAUSE_SECONDS"
  done
  # Exit code 2: the disk is blank.
  content=$(blkid -o export -p "$disk") || status=$?
  if [ $status = 2 ]; then
    mkfs.xfs -q -L waggle-data "$disk"
  else
    [ $status = 0 ] && grep -qx LABEL=waggle-data <<< "$content" || fail "The volume $1 contains other data: ${content//$'\n'/ }"
  fi
  mkdir -p "$mount_point"
  grep -q LABEL=waggle-data "$ROOT/etc/fstab" ||
    echo "LABEL=waggle-data $mount_point xfs defaults,nofail,x-systemd.before=docker.service 0 2" >> "$ROOT/etc/fstab"
  mountpoint -q "$mount_point" || mount "$mount_point"
}

# Prints the disk of an EBS volume. The name contains the id of the volume on Nitro instances. Xen instances
# keep the name of the device that Terraform requests, /dev/sdf.
disk_of() {
  readlink -e "$ROOT/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${1/-/}" || readlink -e "$ROOT/dev/xvdf"
}

# Sends the end of the boot log to CloudWatch: a failed boot can be examined without access to the host.
send_log() {
  local name=(--log-group-name "/waggle/$ENVIRONMENT/host" --log-stream-name "$HOST_NAME/$INSTANCE_ID")
  # A log that cannot be sent must not fail the boot. The stream exists if the preparation is repeated.
  aws logs create-log-stream "${name[@]}" || true
  aws logs put-log-events "${name[@]}" --log-events "$(tail -n 200 "$ROOT/var/log/cloud-init-output.log" |
    jq -R '{message: select(. != ""), timestamp: (now * 1000 | floor)}' | jq -s .)" > /dev/null || true
}

# With live-restore containers survive a restart of Docker. The credential helper pulls images with the host's
# role, so there is no login token that expires.
write_docker_settings() {
  mkdir -p "$ROOT/etc/docker" "$ROOT/root/.docker"
  echo '{ "live-restore": true, "log-driver": "json-file", "log-opts": { "max-size": "10m", "max-file": "3" } }' \
    > "$ROOT/etc/docker/daemon.json"
  jq -n --arg registry "$1" '{credHelpers: {($registry): "ecr-login"}}' > "$ROOT/root/.docker/config.json"
}

rollout() {
  [[ "$1" =~ ^[0-9a-f]{7,40}$ ]] || fail "\"$1\" is not a commit: 7 to 40 hexadecimal digits"
  install -d -m 700 "$ROOT/run/waggle"
  exec 8> "$ROOT/run/waggle/rollout.lock"
  flock -n 8 || fail "Another rollout is under way"
  local status=0
  fetch "$1"
  # This unit exists after a first release has started on this host. The link `current` exists earlier.
  if [ -e "$ROOT/etc/systemd/system/waggle.service" ]; then
    cd "$HOME_FOLDER/releases/$1"
    # Render the latest settings with the tag of the running release: docker/rollout.sh reads the old tag from
    # .env.
    host/render-env.sh "$(basename "$(readlink "$HOME_FOLDER/current")")"
    ensure_database_role
    docker/rollout.sh "$1" || status=$?
    # 3: the version runs, but nginx does not run or does not serve DOMAIN. A reboot must start the same
    # version.
    [ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"
    make_current "$1"
    [ "$status" = 0 ] || exit "$status"
  else
    log "Starting $1, the first release on this host"
    ln -sfn "releases/$1" "$HOME_FOLDER/current"
    bash "$0" up || {
      rm "$HOME_FOLDER/current"
      fail "$1 did not start"
    }
    make_current "$1"
    systemctl start waggle.service
  fi
  aws ssm put-parameter --overwrite --type String --name "/waggle/$ENVIRONMENT/ready/$INSTANCE_ID" --value "$1" > /dev/null
  log "$HOST_NAME runs $1"
}

# Extracts the compose files and scripts of a version from its web image.
fetch() {
  local image container next=$HOME_FOLDER/releases/.next
  [ ! -d "$HOME_FOLDER/releases/$1" ] || return 0
  image=$(parameters app | jq -er .ECR_REGISTRY)/waggle-web:$1
  docker pull -q "$image" > /dev/null || fail "Cannot pull the image $image"
  rm -rf "$next"
  mkdir -p "$next"
  container=$(docker create "$image")
  docker cp -q "$container:/usr/share/waggle/host/." "$next"
  docker rm "$container" > /dev/null
  ln -s "$ROOT/run/waggle/env" "$next/.env"
  mv "$next" "$HOME_FOLDER/releases/$1"
}

# Installs the scripts and units of a version, after it runs: a broken version must not install anything.
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
  if grep -qE "^COMPOSE_PROFILES='?([a-z,-]+,)?api(,|'|$)" .env; then host/database-role.sh; fi
}

main "$@"
