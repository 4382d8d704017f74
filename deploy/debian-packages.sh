#!/bin/sh
# Install the named Debian packages where they are missing.
set -eu
missing=""
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need$missing; this machine has no apt-get, please install them its own way." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need$missing. Please run: sudo apt-get update && sudo apt-get install$missing" >&2
    exit 1
fi
# The tests start what they need, on free ports. What a package would start as a service, now or when the machine
# starts, would hold a port and listen to the network: policy-rc.d forbids the first, disabling ends the second.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -q
# shellcheck disable=SC2086 # the list is meant to be split
apt-get install -q -y --no-install-recommends $missing
if [ -d /run/systemd/system ]; then
    for package in $missing; do
        case $package in
        mosquitto) systemctl disable --quiet mosquitto.service ;;
        rabbitmq-server) systemctl disable --quiet rabbitmq-server.service epmd.socket epmd.service ;;
        esac
    done
fi
