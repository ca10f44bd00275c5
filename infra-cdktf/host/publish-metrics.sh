#!/usr/bin/env bash
# Publishes metrics to CloudWatch, once a minute: disk and memory use, whether the workers are healthy, and, on
# hosts with the API, queue statistics. Values that cannot be read are omitted; alarms detect missing data.
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
# Through nginx, which serves this path on port 80.
STATISTICS=http://127.0.0.1/v1/stats

main() {
  local queue='' metrics=$ROOT/run/waggle/metrics.json
  # Only hosts with the API have this key.
  if [ -n "${METRICS_API_KEY:-}" ]; then queue=$(queue_metrics) || true; fi
  {
    metric DiskUsedPercent Percent "$(df --output=pcent "$ROOT/" | tail -n 1 | tr -dc 0-9)" "$HOST_NAME"
    metric MemoryUsedPercent Percent "$(used_memory)" "$HOST_NAME"
    worker_metrics
    echo "$queue"
  } | jq -s . > "$metrics"
  aws cloudwatch put-metric-data --namespace Waggle --metric-data "file://$metrics"
  [ -z "${METRICS_API_KEY:-}" ] || [ -n "$queue" ]
}

queue_metrics() {
  local statistics
  # The key is passed on standard input, because every process on the host can read arguments.
  statistics=$(curl -fsS -m 10 -K - "$STATISTICS" <<< "header = \"X-API-Key: $METRICS_API_KEY\"") || return 1
  metric QueueDepth Count "$(jq -er .waiting <<< "$statistics")"
  metric RunningTasks Count "$(jq -er .running <<< "$statistics")"
  metric OldestWaitingSeconds Seconds "$(jq -er '.oldest_waiting_seconds // 0' <<< "$statistics")"
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
