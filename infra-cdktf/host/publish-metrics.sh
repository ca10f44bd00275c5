#!/usr/bin/env bash
# Publishes metrics to CloudWatch, once a minute: disk and memory use, whether the worker is healthy, and, on
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
    if has_healthy_worker; then metric WorkerHeartbeat Count 1; fi
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

# metric NAME UNIT VALUE [HOST]
metric() {
  jq -n --arg name "$1" --arg unit "$2" --argjson value "$3" --arg host "${4:-}" '{
    MetricName: $name, Unit: $unit, Value: $value,
    Dimensions: ([{Name: "Environment", Value: env.ENVIRONMENT}] + if $host == "" then [] else [{Name: "Host", Value: $host}] end)
  }'
}

used_memory() { awk '/^MemTotal/ { all = $2 } /^MemAvailable/ { print int(100 - 100 * $2 / all) }' /proc/meminfo; }

has_healthy_worker() {
  docker ps -q --filter label=com.docker.compose.service=worker --filter health=healthy | grep -q .
}

main
