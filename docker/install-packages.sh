#!/bin/sh
# For the Dockerfile of a project: installs the packages of package-lock.json that production needs, with their
# install scripts, so that native modules work. Deletes two that production never loads, unless the project
# itself uses the first: the embedded Postgres (PGlite), and a second copy of Node.
set -eu
cd /app
npm ci --omit=dev --no-audit --no-fund
grep -q '"@electric-sql/pglite"' package.json || rm -rf node_modules/@electric-sql/pglite
rm -rf node_modules/node node_modules/.bin/node
