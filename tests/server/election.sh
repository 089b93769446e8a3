# Sourced by tests and examples that serve an election. They set
#   psephos   the tool
#   psephosd  the server
# and PSEPHOS_PASSWORD in the environment.

# make_election DIR MANIFEST: the key ceremony of all parties, then the opening. DIR gets record (as `psephos election
# open` leaves it, logs of box and registrars begun), authority.key, trustee-N.key, registrar-N.key, box.key, password.
make_election() {
  local dir=$1 manifest=$2 trustees registrars i round
  mkdir -p "$dir"
  cp "$manifest" "$dir/manifest.json"
  read -r trustees registrars < <(python3 - "$manifest" <<'PY'
import json, sys
manifest = json.load(open(sys.argv[1]))
print(len(manifest["trustees"]["names"]), len(manifest["registrars"]["names"]))
PY
  )
  printf '%s\n' "$PSEPHOS_PASSWORD" >"$dir/password"
  chmod 600 "$dir/password"
  "$psephos" authority new --out "$dir/authority.key"
  for ((i = 1; i <= trustees; ++i)); do
    "$psephos" trustee new "$dir/manifest.json" --index "$i" --out "$dir/trustee-$i.key" --card "$dir/trustee-$i.card"
  done
  for ((i = 0; i < registrars; ++i)); do
    "$psephos" registrar new "$dir/manifest.json" --index "$i" --out "$dir/registrar-$i.key" \
      --card "$dir/registrar-$i.card"
  done
  "$psephos" box new "$dir/manifest.json" --out "$dir/box.key" --card "$dir/box.card"
  "$psephos" election new "$dir/manifest.json" "$dir/record" --key "$dir/authority.key" \
    --trustee-card "$dir"/trustee-*.card
  for round in commit reveal share confirm; do
    for ((i = 1; i <= trustees; ++i)); do
      "$psephos" trustee "$round" "$dir/record" --key "$dir/trustee-$i.key" --out "$dir/$round-$i"
    done
    "$psephos" election add "$dir/record" --key "$dir/authority.key" "$dir/$round"-*
  done
  "$psephos" election open "$dir/record" --key "$dir/authority.key" --registrar-card "$dir"/registrar-*.card \
    --box-card "$dir/box.card"
  for ((i = 0; i < registrars; ++i)); do
    "$psephos" registrar start "$dir/record" --key "$dir/registrar-$i.key"
  done
  "$psephos" box start "$dir/record" --key "$dir/box.key"
}

# write_config DIR: psephosd.toml for role "all" on ports of the system's choice, and an administrator's token.
write_config() {
  local dir=$1 key
  head -c 24 /dev/urandom | base64 >"$dir/token"
  chmod 600 "$dir/token"
  {
    printf 'role = "all"\n[http]\nlisten = ["127.0.0.1:0"]\nrate_per_second = 0\n'
    printf '[admin]\nlisten = "127.0.0.1:0"\ntoken_file = "token"\n'
    printf '[[election]]\nrecord = "record"\n'
    printf '[election.box]\nstore = "box.sqlite"\nkey = "box.key"\npassword_file = "password"\n'
    printf 'export_interval = "%s"\n' "${export_interval:-200ms}"
    for key in "$dir"/registrar-*.key; do
      key=$(basename "$key" .key)
      printf '[[election.registrar]]\nindex = %s\nstore = "%s.sqlite"\nkey = "%s.key"\n' "${key#registrar-}" "$key" "$key"
      printf 'password_file = "password"\n'
    done
    printf '[election.live]\nstep = 1\ninterval = "1s"\n[election.board]\npoll = "200ms"\n'
  } >"$dir/psephosd.toml"
}

# start_server DIR: runs psephosd in the background with DIR/psephosd.toml; sets server (pid), url and admin.
start_server() {
  local dir=$1 ready="$1/psephosd.out" tries
  rm -f "$ready" # what an earlier server said must not be read as this one's
  "$psephosd" --config "$dir/psephosd.toml" >"$ready" 2>"$dir/psephosd.log" &
  server=$!
  for ((tries = 0; tries < 600; ++tries)); do
    if grep -q "admin port" "$ready" 2>/dev/null; then
      url=http://127.0.0.1:$(sed -n 's/.*, port \([0-9]*\),.*/\1/p' "$ready")
      admin=http://127.0.0.1:$(sed -n 's/.*admin port \([0-9]*\).*/\1/p' "$ready")
      return 0
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "psephosd did not start:" >&2
  cat "$dir/psephosd.log" >&2
  return 1
}

# stop_server: as a system does; fails if the server does not end well.
stop_server() {
  kill -TERM "$server"
  wait "$server"
}

# election_id URL: the id of the only election a server has.
election_id() {
  python3 -c 'import json, sys, urllib.request
print(json.load(urllib.request.urlopen(sys.argv[1] + "/v1/elections"))[0]["id"])' "$1"
}
