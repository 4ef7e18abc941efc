#!/bin/sh
# Makes sure that the programs the comparison needs are installed. Installs missing Debian packages when run as root,
# names them otherwise. Does nothing, quickly, when everything is there.
set -eu

packages="nginx libnginx-mod-http-lua libnginx-mod-http-headers-more-filter lua-resty-core lua-cjson haproxy wrk nghttp2-client openssl"

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "missing Debian packages:$missing" >&2
    echo "install them, or run $0 as root" >&2
    exit 1
fi

# Debian starts a service when its package is installed; the comparison starts its own processes, so nothing else may.
guard=/usr/sbin/policy-rc.d
made_guard=no
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    made_guard=yes
fi
remove_guard() { [ "$made_guard" = no ] || rm -f "$guard"; }
trap remove_guard EXIT

export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of words on purpose
apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 ||
    { apt-get update >/dev/null && apt-get install -y --no-install-recommends $missing >/dev/null; }
echo "installed:$missing" >&2
