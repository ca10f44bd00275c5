#!/bin/sh
# Writes .env for docker-compose.yml with random secrets. Never overwrites an existing .env. Prints the API
# key, which is not stored: .env contains only its hash. With DOMAIN in its environment, it sets up HTTPS:
#
#   DOMAIN=tasks.example.com docker/init-env.sh
#
# In a project it is node_modules/waggle-tasks/docker/init-env.sh.
set -eu
cd "$(dirname "$0")/.."
package=
settings=.env.example
case $PWD in
  */node_modules/waggle-tasks)
    package=node_modules/waggle-tasks/
    settings=${package}docker/env.example
    cd ../..
    ;;
esac
if [ -e .env ]; then
  echo ".env already exists and was not changed" >&2
  exit 1
fi

domain=${DOMAIN:-}
case $domain in
  *[!a-z0-9.-]*)
    echo "DOMAIN must be a domain name in lower case or an IPv4 address, e.g. tasks.example.com" >&2
    exit 1
    ;;
esac

random_hex() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
random_base64() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }

key="wgl_$(random_hex 32)"
hash=$(printf %s "$key" | sha256sum | cut -d' ' -f1)

umask 077
cat > .env.new <<SETTINGS
# Created by docker/init-env.sh. $settings lists all settings.
COMPOSE_PROFILES=edge,api,worker,redis,postgres
WAGGLE_PORT=${WAGGLE_PORT:-80}
POSTGRES_PASSWORD=$(random_hex 24)
REDIS_PASSWORD=$(random_hex 24)
WEBHOOK_SECRET=whsec_$(random_base64 32)
API_KEYS=operator:submit+read+operate:$hash
SETTINGS
if [ -n "$domain" ]; then
  printf 'COMPOSE_FILE=docker-compose.yml:%sdocker-compose.https.yml\nDOMAIN=%s\n' "$package" "$domain" >> .env.new
fi
mv .env.new .env

echo "Wrote .env. This is your API key. It is shown only now and is not stored:"
echo "  $key"
