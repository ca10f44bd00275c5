#!/bin/sh
# For the Dockerfile of a project: installs the packages of package-lock.json that production needs, with their
# install scripts, so that native modules work. Deletes two that production never loads, unless the project
# itself uses the first: the embedded Postgres (PGlite), and a second copy of Node.
set -eu
cd /app
# The headers of Node in this image. Scripts run with the package `node`, which has none: node-gyp would
# download them.
export npm_package_config_node_gyp_nodedir=/usr/local
npm ci --omit=dev --no-audit --no-fund
grep -q '"@electric-sql/pglite"' package.json || rm -rf node_modules/@electric-sql/pglite
rm -rf node_modules/node node_modules/.bin/node
