#!/bin/sh
# What Debian's webhook runs for each request: URL, key, name and description of the metric.
set -eu
printf '{"key":"%s","name":"%s","description":"%s","kind":"custom","isNumeric":false,"eventKey":"%s","tags":["bench"]}' \
  "$2" "$3" "$4" "$2" |
  curl --silent --show-error --fail --max-time 10 --header 'Authorization: api-demo' \
    --header 'Content-Type: application/json' --data-binary @- "$1"
