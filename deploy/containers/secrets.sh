#!/bin/sh
# Makes the secrets that compose.yaml hands over, once, into ./secrets beside it: passwords of the database's roles and the addresses that hold them,
# the relay's secret, the key of backups. Nothing that is there is written over. Keep a copy of backup_key elsewhere.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
keep() { # NAME VALUE: the folder is closed to others; the containers' own users must be able to read a file in it
  [ -e "secrets/$1" ] || { printf '%s' "$2" >"secrets/$1.new" && chmod 0444 "secrets/$1.new" && mv "secrets/$1.new" "secrets/$1"; }
}
keep postgres_password "$(random)"
for role in migrate web keeper; do
  keep "${role}_password" "$(random)"
  keep "${role}_database" "postgresql+asyncpg://lotroom_$role:$(cat "secrets/${role}_password")@db/lotroom"
done
keep backup_key "$(random)"
if [ ! -e secrets/turnserver.conf ]; then
  sed "s/^static-auth-secret=.*/static-auth-secret=$(random)/" ../coturn/turnserver.conf >secrets/turnserver.conf.new
  chmod 0444 secrets/turnserver.conf.new && mv secrets/turnserver.conf.new secrets/turnserver.conf
fi
