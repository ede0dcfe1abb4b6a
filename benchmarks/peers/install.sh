#!/bin/sh
# Install what the connector is compared with and is no Python: install.sh DIRECTORY
# Node-RED and n8n come from npm's registry; `webhook` and `curl` are Debian's packages.
set -eu
cd "$(dirname "$1")"
set -- "$PWD/$(basename "$1")"
mkdir -p "$1/node-red"
cd "$1/node-red"
npm install --no-audit --no-fund --no-update-notifier node-red@4.1.15
# n8n names one dependency by an address outside of the registry, and needs two native modules: SQLite's is built here.
mkdir -p "$1/n8n"
cd "$1/n8n"
echo '{"private": true, "dependencies": {"n8n": "1.123.81"}, "overrides": {"xlsx": "0.18.5"}}' >package.json
npm install --ignore-scripts --no-audit --no-fund --no-update-notifier
npm rebuild sqlite3
command -v webhook curl >/dev/null || echo "webhook or curl is missing: apt-get install webhook curl"
