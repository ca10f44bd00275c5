#!/usr/bin/env bash
# Ensures that the database role of the API and the workers exists with the configured password. If it cannot
# log in, this reads the master password, which RDS rotates every week and nothing else uses.
set -Eeuo pipefail
PATH=$PATH:/snap/bin
export AWS_PAGER=''
ROOT=${WAGGLE_ROOT:-}
script=$(dirname "$(readlink -f "$0")")/database-role.js
set -a
# shellcheck source=/dev/null
. "$ROOT/etc/waggle/identity"
# shellcheck source=/dev/null
. "$ROOT/run/waggle/host"
set +a

in_container() {
  docker compose --progress quiet run --rm --no-deps -T -e MASTER_USER -e MASTER_PASSWORD --entrypoint node migrate \
    --input-type=module - < "$script"
}

status=0
in_container || status=$?
# Exit code 3: the role cannot log in.
[ $status = 3 ] || exit $status
secret=$(aws secretsmanager get-secret-value --secret-id "${MASTER_SECRET_ARN:?is not set; it is a parameter of the role that runs the API}" \
  --query SecretString --output text)
MASTER_USER=$(jq -er .username <<< "$secret") MASTER_PASSWORD=$(jq -er .password <<< "$secret")
export MASTER_USER MASTER_PASSWORD
in_container
echo "Created or updated the database role of the API and the workers"
