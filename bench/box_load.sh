#!/usr/bin/env bash
# box_load.sh BUILD WORK [BALLOTS]: how many ballots a box takes, on this machine, generator included. BUILD: a build
# directory (release). WORK: directory for the election, its ballots (made once, minutes) and the box, on a disk like
# that of a real box. Prints the rows of bench/README.md. NICE="nice -n -10" and the like goes before server and generator.
set -euo pipefail
build=$(realpath "$1") work=$2 ballots=${3:-320000}
rate=${RATE:-3200} seconds=${SECONDS_OF_LOAD:-60} nice=${NICE:-}
load="$nice $build/bench/box_load"
here=$(dirname "$(realpath "$0")")

if [[ ! -e $work/prepared/ballots.all ]]; then
  rm -rf "$work/prepared"
  mkdir -p "$work"
  "$build/bench/box_load" prepare "$work/prepared" "$ballots" --manifest "$here/one_of_five.json"
  touch "$work/prepared/ballots.all"
fi
id=$(cat "$work/prepared/election")

# begin: a box that has taken nothing, and a server on it.
begin() {
  rm -rf "$work/box"
  mkdir "$work/box"
  (cd "$work/prepared" && cp -r record box.key password token psephosd.toml "$work/box/")
  sync -f "$work"
  serve
}
serve() {
  $nice "$build/src/server/psephosd" --config "$work/box/psephosd.toml" >"$work/box/out" 2>"$work/box/log" &
  server=$!
  until grep -q "admin port" "$work/box/out"; do
    kill -0 "$server" || { cat "$work/box/log" >&2; exit 1; }
    sleep 0.1
  done
  url=http://127.0.0.1:$(sed -n 's/.*, port \([0-9]*\),.*/\1/p' "$work/box/out")
}
finish() {
  echo "server: $(ps -o cputime= -p "$server") of processor time, $(awk '/VmHWM/ {print int($2 / 1024)}' "/proc/$server/status") MiB at most"
  kill -TERM "$server"
  wait "$server"
}
check() {
  "$build/bench/box_load" check "$work/box/record" --ballots "$work/prepared/ballots" --receipts "$work/box/receipts" --wait 60
}
trap 'kill "${server:-}" 2>/dev/null || true' EXIT

echo "load average before: $(cut -d' ' -f1-3 /proc/loadavg)"
begin
echo "--- DisVote's mix"
$load disvote "$url" --ballots "$work/prepared/ballots" --record "$work/box/record"
finish
begin
echo "--- $rate a second, $seconds s"
$load run "$url" --ballots "$work/prepared/ballots" --election "$id" --rate "$rate" --seconds "$seconds" \
  --connections 1024 --receipts "$work/box/receipts" | tee "$work/box/first"
next=$(sed -n 's/next ballot //p' "$work/box/first")
finish
check
# Goes on with what is in the store.
serve
echo "--- ten times that, 20 s"
$load run "$url" --ballots "$work/prepared/ballots" --election "$id" --rate "$((10 * rate))" --seconds 20 \
  --connections 8192 --from "$next" --receipts "$work/box/receipts"
finish
check
"$build/src/server/psephosd" --config "$work/box/psephosd.toml" fsck
echo "load average after: $(cut -d' ' -f1-3 /proc/loadavg)"
