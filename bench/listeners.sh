#!/usr/bin/env bash
# listeners.sh BUILD PREPARED WORK [LISTENERS]: what a board on one core, core 0, does for its listeners while ballots
# come at 20 a second. Box, load and listeners share core 1. PREPARED: from `box_load prepare`; WORK: a new directory.
set -euo pipefail
build=$(realpath "$1") prepared=$(realpath "$2") work=$3 listeners=${4:-5000}
here=$(dirname "$(realpath "$0")")
id=$(cat "$prepared/election")
mkdir "$work"
cp -r "$prepared"/{record,box.key,password,token,psephosd.toml} "$work/"
cp -r "$prepared/record" "$work/board"

# serve NAME CORE: psephosd with NAME.toml; sets server and url.
serve() {
  taskset -c "$2" "$build/src/server/psephosd" --config "$work/$1.toml" >"$work/$1.out" 2>"$work/$1.log" &
  server=$!
  servers+=("$server")
  until grep -q "admin port" "$work/$1.out"; do
    kill -0 "$server" 2>/dev/null || { cat "$work/$1.log" >&2; exit 1; }
    sleep 0.1
  done
  url=http://127.0.0.1:$(sed -n 's/.*, port \([0-9]*\),.*/\1/p' "$work/$1.out")
}
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true' EXIT
serve psephosd 1
box=$url
cat >"$work/board.toml" <<END
role = "board"
[http]
listen = ["127.0.0.1:0"]
rate_per_second = 0
max_connections_per_client = 10000
[admin]
listen = "127.0.0.1:0"
token_file = "token"
[[election]]
record = "board"
[election.board]
poll = "1s"
mirrors = [{ url = "$box/v1/elections/$id/record", logs = ["box/0", "box/1"] }]
[election.live]
step = 1
interval = "1s"
END
serve board 0

echo "load average before: $(cut -d' ' -f1-3 /proc/loadavg)"
taskset -c 1 "$build/bench/box_load" run "$box" --ballots "$prepared/ballots" --election "$id" --rate 20 --seconds 45 \
  --connections 16 --receipts "$work/receipts" >"$work/load" &
load=$!
taskset -c 1 python3 "$here/listeners.py" "$url" "$id" --listeners "$listeners" --seconds 30
echo "board: $(ps -o cputime= -p "$server") of processor time, $(awk '/VmHWM/ {print int($2 / 1024)}' "/proc/$server/status") MiB at most"
wait "$load"
cat "$work/load"
