#!/bin/sh
# Runs once, when the database's folder is empty: the three roles of the service and whose the database is. `lotroom migrate` makes the tables.
set -eu
psql --set ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --quiet \
  --set migrate="$(cat /run/secrets/migrate_password)" --set web="$(cat /run/secrets/web_password)" \
  --set keeper="$(cat /run/secrets/keeper_password)" --set name="$POSTGRES_DB" <<'SQL'
CREATE ROLE lotroom_migrate LOGIN PASSWORD :'migrate';
CREATE ROLE lotroom_web LOGIN PASSWORD :'web';
CREATE ROLE lotroom_keeper LOGIN PASSWORD :'keeper';
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
ALTER DATABASE :"name" OWNER TO lotroom_migrate;
GRANT CONNECT ON DATABASE :"name" TO lotroom_web, lotroom_keeper;
SQL
