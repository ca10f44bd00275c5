#!/bin/sh
# Publishes the page in /page, where nginx serves it: lay-out-page [next]. With `next` it publishes the files
# that a rollout has put into /page/.next, otherwise those of the image. Files are moved by rename, so a
# client never receives a half-written file. Files of older pages stay for browsers that have such a page
# open; rollouts delete assets that are older than a week.
set -eu
if [ "${1:-}" != next ]; then
  # A new container publishes the page of its image. A restarted container (same host name) keeps the
  # published page, because a rollout may have replaced it since.
  [ "$(cat /page/.container 2>/dev/null)" = "$HOSTNAME" ] && exit 0
  rm -rf /page/.next
  cp -R /usr/share/waggle/page /page/.next
fi

cd /page/.next
find . -type d | while read -r folder; do mkdir -p "/page/$folder"; done
# Move index.html last, after the files that it references.
find . -type f ! -name index.html | while read -r file; do mv -f "$file" "/page/$file"; done
mv -f index.html /page/index.html
rm -rf /page/.next
echo "$HOSTNAME" > /page/.container
