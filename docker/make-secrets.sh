#!/bin/sh
# Writes the secrets that docker-compose.yml mounts, once; existing ones are kept.
set -eu
folder=$(dirname "$0")/secrets
mkdir -p "$folder"
umask 077
make_one() {
    [ -s "$folder/$1" ] || python3 -c "
import base64, secrets
raw = secrets.token_bytes(32)
print(base64.urlsafe_b64encode(raw).decode() if '$1' == 'airflow_fernet_key' else raw.hex(), end='')
" >"$folder/$1"
}
make_one database_password
make_one airflow_jwt_secret
make_one airflow_fernet_key
# Each container runs as a user of its own and must read them; the folder is closed to others.
chmod 644 "$folder"/*
chmod 700 "$folder"
echo "secrets are in $folder"
