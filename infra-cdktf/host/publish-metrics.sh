#!/usr/bin/env bash
# Once a minute, to CloudWatch: how full this host is; whether its worker is healthy; and, where the API runs, how much
# waits and since when. The alarms take a missing figure for a failure, so nothing is made up.
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
# What `docker/nginx.conf` publishes.
STATISTICS=http://127.0.0.1/v1/stats

main() {
  local queue='' metrics=$ROOT/run/waggle/metrics.json
  # Only where the API runs there is a key for it.
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
  # By its input: an argument could be read by every process of the host.
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
