#!/usr/bin/env bash
# System packages that the tests use: Go's own reader of transparency logs judges ours; node runs the JavaScript verifier, chromium its page.
# Installed through apt where we are root.
set -euo pipefail
packages=(golang-go golang-golang-x-mod-dev chromium fonts-noto-cjk nodejs)
# nginx and coturn are tried with the files that are shipped, where installing them starts nothing; elsewhere their tests say that they were left out.
[ -d /run/systemd/system ] || packages+=(nginx-light coturn)
missing=()
for each in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$each" 2>/dev/null | grep -q 'ok installed' || missing+=("$each")
done
command -v npm >/dev/null || missing+=(npm) # some builds of nodejs bring it, Debian's does not
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "The tests need these system packages; install them and run again: ${missing[*]}" >&2
  exit 1
fi
