#!/bin/sh
# Serves the folder /s3 to whoever has the key that MLflow has.
set -eu
: "${AWS_ACCESS_KEY_ID:?choose one, in .env}" "${AWS_SECRET_ACCESS_KEY:?choose one, in .env}"
# Its lists are lines of CSV.
export RCLONE_AUTH_KEY="\"$AWS_ACCESS_KEY_ID,$AWS_SECRET_ACCESS_KEY\""
exec rclone serve s3 --addr 0.0.0.0:9000 --vfs-cache-mode off /s3
