#!/bin/sh
# Puts the page where nginx serves it: lay-out-page [next], with `next` what lies in /page/.next. Each file comes by a
# rename, so nobody gets half of one; what an older page names stays, for those who have it open.
set -eu
if [ "${1:-}" != next ]; then
  # A new container brings its page. One that is started again keeps what a rollout has put there since.
  [ "$(cat /page/.container 2>/dev/null)" = "$HOSTNAME" ] && exit 0
  rm -rf /page/.next
  cp -R /usr/share/waggle/page /page/.next
fi

cd /page/.next
find . -type d | while read -r folder; do mkdir -p "/page/$folder"; done
# The page itself after what it names.
find . -type f ! -name index.html | while read -r file; do mv -f "$file" "/page/$file"; done
mv -f index.html /page/index.html
rm -rf /page/.next
echo "$HOSTNAME" > /page/.container
