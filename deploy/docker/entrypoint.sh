#!/bin/sh
# Makes the folders writable, drops to uid 10001, and runs `ml-ids` with the arguments.
set -eu
id=10001
kernels=/opt/ml-ids/kernels

fail() {
  echo "error: $1" >&2
  exit 1
}

if [ "$(id -u)" = 0 ]; then
  for folder in "$LOG_DIR" "$STATE_DIR"; do
    mkdir -p "$folder" && { [ "$(stat -c %u "$folder")" = $id ] || chown -R $id:$id "$folder"; } ||
      fail "$folder cannot be given to uid $id: on the host, chown -R $id:$id the folder that is mounted there"
  done
  exec setpriv --reuid $id --regid $id --clear-groups "$0" "$@" ||
    fail "uid $id cannot be taken without the capabilities SETUID and SETGID: add them, or --user $id:$id"
fi

for folder in "$LOG_DIR" "$STATE_DIR"; do
  mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] ||
    fail "uid $(id -u) cannot write to $folder: on the host, chown -R $(id -u) the folder that is mounted there"
done

# A copy, so that kernels that are compiled later find their place beside these.
if mkdir -p "$NUMBA_CACHE_DIR" 2>/dev/null && [ -w "$NUMBA_CACHE_DIR" ]; then
  cp -R -n -p "$kernels/." "$NUMBA_CACHE_DIR/"
fi

# In a network of its own a container is reached through the interface whose other end the host has.
own_network() {
  interface=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
  [ -n "$interface" ] || return 1
  peer=$(cat "/sys/class/net/$interface/iflink")
  ! grep -qx "$peer" /sys/class/net/*/ifindex
}
if [ -z "${HOST:-}" ] && own_network; then
  export HOST=0.0.0.0
fi

python=python
bounds=$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status)
if [ $((0x$bounds >> 13 & 1)) = 1 ]; then
  python=python-capture
fi
exec "$python" -P /opt/ml-ids/bin/ml-ids "$@"
