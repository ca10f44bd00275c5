#!/usr/bin/env bash
# Publishes metrics to CloudWatch, once a minute: disk and memory use, whether the workers are healthy, and,
# on hosts with the API, queue statistics and how much of its lifetime the certificate of nginx has left, in
# percent. Values that cannot be read are omitted; alarms detect missing data.
set -Eeuo pipefail
umask 077
PATH=$PATH:/snap/bin
export AWS_PAGER=''
ROOT=${WAGGLE_ROOT:-}
set -a
# shellcheck source=/dev/null
. "$ROOT/etc/waggle/identity"
# shellcheck source=/dev/null
. "$ROOT/run/waggle/host"
set +a
# Through nginx. Its certificate is not verified: it is for DOMAIN, and the connection does not leave the
# host.
SERVER=http://127.0.0.1
if [ -n "${DOMAIN:-}" ]; then SERVER=https://127.0.0.1; fi

main() {
  local queue='' left metrics=$ROOT/run/waggle/metrics.json
  # Only hosts with the API have this key.
  if [ -n "${METRICS_API_KEY:-}" ]; then queue=$(queue_metrics) || true; fi
  {
    metric DiskUsedPercent Percent "$(df --output=pcent "$ROOT/" | tail -n 1 | tr -dc 0-9)" "$HOST_NAME"
    metric MemoryUsedPercent Percent "$(used_memory)" "$HOST_NAME"
    if [ -n "${DOMAIN:-}" ] && left=$(certificate_lifetime_left); then
      metric CertificateLifetimeLeftPercent Percent "$left"
    fi
    worker_metrics
    echo "$queue"
  } | jq -s . > "$metrics"
  aws cloudwatch put-metric-data --namespace "Waggle/$ENVIRONMENT" --metric-data "file://$metrics"
  [ -z "${METRICS_API_KEY:-}" ] || [ -n "$queue" ]
}

queue_metrics() {
  local statistics
  # The key is passed on standard input, because every process on the host can read arguments.
  statistics=$(curl -fsSk -m 10 -K - "$SERVER/v1/stats" <<< "header = \"X-API-Key: $METRICS_API_KEY\"") || return 1
  metric QueueDepth Count "$(jq -er .waiting <<< "$statistics")"
  metric RunningTasks Count "$(jq -er .running <<< "$statistics")"
  metric OldestWaitingSeconds Seconds "$(jq -er '.oldest_waiting_seconds // 0' <<< "$statistics")"
}

# Prints how much of the lifetime of the certificate that nginx serves is left, in percent; below 0 if it has
# expired.
certificate_lifetime_left() {
  local dates from to
  dates=$(timeout 10 openssl s_client -connect 127.0.0.1:443 < /dev/null 2> /dev/null | openssl x509 -noout -startdate -enddate 2> /dev/null) ||
    return 1
  from=$(date -d "$(sed -n 's/^notBefore=//p' <<< "$dates")" +%s)
  to=$(date -d "$(sed -n 's/^notAfter=//p' <<< "$dates")" +%s)
  echo $((100 * (to - $(date +%s)) / (to - from)))
}

# metric NAME UNIT VALUE [HOST [WORKER]]
metric() {
  jq -n --arg name "$1" --arg unit "$2" --argjson value "$3" --arg host "${4:-}" --arg worker "${5:-}" '{
    MetricName: $name, Unit: $unit, Value: $value,
    Dimensions: [{Name: "Environment", Value: env.ENVIRONMENT}, {Name: "Host", Value: $host}, {Name: "Worker", Value: $worker}]
      | map(select(.Value != ""))
  }'
}

used_memory() { awk '/^MemTotal/ { all = $2 } /^MemAvailable/ { print int(100 - 100 * $2 / all) }' /proc/meminfo; }

# A heartbeat for each kind of worker that is healthy on this host, and the number of kinds with a fault: no
# container, or one that restarts repeatedly or is unhealthy. A kind with hosts of its own runs as the service
# `worker`.
worker_metrics() {
  local services service kind states faults=0
  services=$(cd "$ROOT/opt/waggle/current" && docker compose config --services | grep -xE 'worker(-.+)?') || return 0
  for service in $services; do
    kind=$service
    if [ "$kind" = worker ]; then kind=$ROLE; fi
    [[ "$kind" == worker-* ]] || kind=
    states=$(docker ps --filter "label=com.docker.compose.service=$service" --format '{{.State}} {{.Status}}')
    if [[ "$states" == *'(healthy)'* ]]; then metric WorkerHeartbeat Count 1 '' "$kind"; fi
    if [ -z "$states" ] || [[ "$states" =~ restarting|unhealthy ]]; then faults=$((faults + 1)); fi
  done
  metric UnhealthyWorkers Count "$faults"
}

main
