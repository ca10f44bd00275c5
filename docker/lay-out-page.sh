#!/bin/sh
# A new container brings its page. One that is started again keeps what a rollout has put there since.
set -eu
[ "$(cat /page/.container 2>/dev/null)" = "$HOSTNAME" ] && exit 0
cp -R /usr/share/waggle/page/. /page/
echo "$HOSTNAME" > /page/.container
