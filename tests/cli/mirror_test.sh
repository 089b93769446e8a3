#!/usr/bin/env bash
# A record behind a URL: copied, copied again while it grows, verified, and what is said when the server is wrong. The
# server is Python's; it serves the directory `served`.
#
# usage: mirror_test.sh PSEPHOS_FAST_KEYS
set -euo pipefail

golden=$(realpath "$(dirname "$0")/../record/golden")
. "$(dirname "$0")/tool.sh"

# The server answers 503 once if there is a file `busy`, and writes what it was asked for to `asked`.
cat >server.py <<'PY'
import functools, http.server, os
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args):
        pass
    def do_GET(self):
        with open("asked", "a") as asked:
            asked.write(self.path + "\n")
        try:
            os.remove("busy")
        except FileNotFoundError:
            return super().do_GET()
        self.send_response(503)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory="served"))
with open("port.new", "w") as port:
    port.write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
PY
python3 server.py &
server=$!
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 600); do
  [ ! -e port ] || break
  sleep 0.1
done
[ -e port ] || fail "the server does not start"
url="http://127.0.0.1:$(cat port)/record"
mkdir served
serve() {
  rm -rf served/record
  cp -r "$1" served/record
}
same() { diff -r "$1" "$2" >difference || fail "$1 and $2 differ: $(head -3 difference)"; }
export TMPDIR=$work/tmp
mkdir tmp

# --- A complete record -------------------------------------------------------------------------------
serve "$golden"
expect 0 --json verify "$golden"
id=$(sed -n 's/.*"election": "\([0-9a-f]*\)".*/\1/p' stdout)
mv stdout from-directory
expect 0 log mirror "$url" copy
says "Id:       $id"
says "main: 22 entries, 22 new"
says "Complete."
same "$golden" copy
expect 0 --json log mirror "$url/" copy --election "$id"
is_json
says '"complete": true'
says '"added": 0'
same "$golden" copy

touch busy
expect 0 --json verify "$url"
[ ! -e busy ] || fail "the server was not busy"
same from-directory stdout
expect 0 --json verify "$url" --election "$id" --mirror kept
same from-directory stdout
same "$golden" kept
: >asked
expect 0 verify "$url" --mirror kept
says "ACCEPTED"
! grep -q /tile/ asked || fail "entries were fetched twice"
expect 0 verify "$url" --part 1/2 --output 1.part --mirror kept
expect 0 verify "$url" --part 2/2 --output 2.part
expect 0 verify kept --combine 1.part 2.part
[ -z "$(ls -A tmp)" ] || fail "temporary copies are left"

# --- Another election, another place, no server ------------------------------------------------------
other=$(printf '%064d' 0)
expect 1 log mirror "$url" other --election "$other"
complains "$id"
[ -z "$(ls -A other)" ] || fail "a refused election was copied"
expect 1 verify "$url" --election "$other"
expect 2 verify "$url" --election 1234
complains "64 hex digits"
expect 2 verify "$golden" --election "$id"
complains "behind a URL"
expect 2 verify "$golden" --mirror copy2
expect 2 log mirror "$golden" copy2
complains "is not the URL"
[ ! -e copy2 ] || fail "a directory was made for nothing"
expect 2 log mirror "$url?a=b" copy2
expect 2 log mirror "$url" copy2 --watch 0
mkdir mine
touch mine/file
expect 2 log mirror "$url" mine
complains "mine"
expect 3 log mirror "$url/nowhere" copy2
complains "$url/nowhere/manifest.json"
expect 3 log mirror "$url" copy2 --ca no-such-file
expect 3 verify http://127.0.0.1:9/record
expect 3 log mirror "${url/http:/https:}" copy2
[ -z "$(ls -A tmp)" ] || fail "temporary copies are left"

# --- Damaged files -----------------------------------------------------------------------------------
for file in manifest.json main/checkpoint main/tile/entries/000.p/22 box/0/checkpoint roll/0/tile/entries/000.p/6; do
  serve "$golden"
  bytes=$(wc -c <"served/record/$file")
  printf '\x01' | dd of="served/record/$file" bs=1 seek=$((bytes / 2)) conv=notrunc status=none
  expect 1 log mirror "$url" "damaged-$(basename "$(dirname "$file")")"
  complains "$url/"
  expect 1 verify "$url"
done
serve "$golden"
rm served/record/box/0/tile/entries/000.p/6
expect 3 log mirror "$url" damaged
complains "box/0/tile/entries/000.p/6"
serve "$golden"
expect 0 log mirror "$url" damaged
same "$golden" damaged
# A result that is not the election's is the verification's to find.
sed -i 's/[0-9]$/&0/' served/record/result.csv
expect 1 verify "$url"
says "V14"
expect 1 verify "$url" --mirror copy
complains "result.csv"
same "$golden" copy

# --- A record that grows, and one that goes back -----------------------------------------------------
cat >manifest.json <<'JSON'
{
  "psephos": "manifest/v1", "title": "Mirror", "origin": "example.org/mirror",
  "opens": "2031-05-01T06:00:00Z", "closes": "2031-05-04T18:00:00Z",
  "contests": [{"id": "q", "title": "Q", "type": "choose", "options": ["Yes", "No"], "min": 1, "max": 1}],
  "styles": [{"id": "all", "contests": ["q"]}],
  "trustees": {"names": ["Tim"], "threshold": 1},
  "registrars": {"names": ["Office"], "rsa_bits": 2048},
  "box": {"shards": 1, "revote": "first", "challenges": 1},
  "tally": {"minimum": 1, "by": "election"},
  "voters": 10
}
JSON
expect 0 authority new --out authority.key
expect 0 trustee new manifest.json --index 1 --out trustee.key --card trustee.card
expect 0 election new manifest.json record --key authority.key --trustee-card trustee.card
serve record
expect 1 verify "$url"
says "REJECTED"
expect 0 log mirror "$url" growing
says "(not open yet)"
expect 2 log mirror "$url" pinned --election "$id"
complains "not open yet"
cp -r record before
expect 0 trustee commit record --key trustee.key --out commit
expect 0 election add record --key authority.key commit
serve record
expect 0 log mirror "$url" growing
says "main: 2 entries, 1 new"
same record growing

# The server takes back what it has shown: the two checkpoints are kept.
serve before
for _ in 1 2; do
  expect 1 log mirror "$url" growing/
  complains "growing.conflict-main.earlier"
  same record growing
  cmp growing.conflict-main.earlier record/main/checkpoint || fail "no evidence"
  cmp growing.conflict-main.later before/main/checkpoint || fail "no evidence"
done
[ ! -e growing.conflict-main.later.2 ] || fail "the same evidence is kept twice"

# --- Watching ----------------------------------------------------------------------------------------
serve "$golden"
rm -r served/record/result.csv
"$psephos" --json log mirror "$url" watched --watch 1 >stdout 2>stderr &
watching=$!
for _ in $(seq 600); do
  ! grep -q '"complete":false' stdout || break
  sleep 0.1
done
says '"complete":false'
rm -rf served/record # for a moment there is nothing
for _ in $(seq 600); do
  ! grep -q "trying again" stderr || break
  sleep 0.1
done
complains "trying again"
cp -r "$golden" served/new
mv served/new served/record
wait $watching || fail "watching ended with $?"
says '"complete":true'
same "$golden" watched
