#!/usr/bin/env bash
# Writes a backup of Postgres, while everything runs:
#
#   docker/backup.sh FOLDER      writes FOLDER/waggle-<time>.dump, and then deletes the backups there that are
#                                older than BACKUP_DAYS (14)
#
# In a project it is node_modules/waggle-tasks/docker/backup.sh; docker/restore.sh restores a backup. Redis
# needs no backup, because workers rebuild its content from Postgres.
#
# Exit code 0: the backup is complete, and all of it could be read again. Any other code: there is no new
# backup, and no old one was deleted.
set -Eeuo pipefail

main() {
  [ $# = 1 ] || fail "Usage: docker/backup.sh FOLDER"
  days=${BACKUP_DAYS:-14}
  [[ "$days" =~ ^[1-9][0-9]*$ ]] || fail "BACKUP_DAYS must be a number of days"
  umask 077
  mkdir -p "$1"
  folder=$(cd "$1" && pwd)
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  case $PWD in */node_modules/waggle-tasks) cd ../.. ;; esac
  exec 9> "$folder/.lock"
  flock -n 9 || fail "Another backup is under way"

  file=$folder/waggle-$(date -u +%Y-%m-%dT%H-%M-%SZ).dump
  trap 'rm -f "$file.part"' EXIT
  in_postgres pg_dump -U waggle --format=custom waggle > "$file.part"
  in_postgres pg_restore --file=/dev/null < "$file.part" || fail "The backup cannot be read"
  sync "$file.part"
  mv "$file.part" "$file"
  find "$folder" -maxdepth 1 -name 'waggle-*.dump' -mtime "+$((days - 1))" -delete
  echo "Wrote $file"
}

fail() {
  echo "$*" >&2
  exit 1
}

in_postgres() { docker compose exec -T postgres "$@" 9>&-; }

main "$@"
