#!/usr/bin/env bash
# The voter's and the administrator's commands against a server: an election over the network, with lost answers, a
# server that is down, busy, behind another name, or lies.
#
# usage: network_test.sh PSEPHOS_FAST_KEYS PSEPHOSD
set -euo pipefail

psephosd=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
. "$here/tool.sh"
. "$here/../server/election.sh"

server="" proxy="" static=""
quit() {
  for process in $server $proxy $static; do
    kill "$process" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap quit EXIT

# A proxy with a temper: what the file `temper` says is done to the next ballots that are sent. With the file
# `stub.json` it is a server that says this and nothing else.
cat >proxy.py <<'PY'
import http.server, os, sys, urllib.error, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass
    def temper(self):
        try:
            lines = open("temper").read().split()
        except FileNotFoundError:
            return ""
        if not lines or not self.path.endswith("/ballots"):
            return ""
        open("temper", "w").write("\n".join(lines[1:]))
        return lines[0]
    def answer(self, status, headers, body):
        self.send_response(status)
        for name in ("Content-Type", "Retry-After"):
            if headers.get(name):
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if os.path.exists("stub.json"):
            return self.answer(200, {"Content-Type": "application/json"}, open("stub.json", "rb").read())
        temper = self.temper()
        if temper == "busy":
            return self.answer(503, {"Retry-After": "1"}, b"")
        if temper == "hotel":
            return self.answer(200, {"Content-Type": "text/html"}, b"<html>Welcome! Room number?</html>")
        request = urllib.request.Request(open("upstream").read() + self.path, body, dict(self.headers), method=self.command)
        if self.command == "GET":
            request.data = None
        try:
            with urllib.request.urlopen(request) as response:
                status, headers, content = response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            status, headers, content = error.code, error.headers, error.read()
        if temper == "lose":
            self.close_connection = True
            return
        self.answer(status, headers, content)
    do_GET = do_POST
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("proxy.port.new", "w").write(str(server.server_port))
os.rename("proxy.port.new", "proxy.port")
server.serve_forever()
PY
wait_for() { # FILE
  for _ in $(seq 600); do
    [ ! -e "$1" ] || return 0
    sleep 0.1
  done
  fail "$1 does not appear"
}

# --- An election, and its server ---------------------------------------------------------------------
cat >manifest.json <<'JSON'
{
  "psephos": "manifest/v1", "title": "Network", "origin": "example.org/network",
  "opens": "2031-05-01T06:00:00Z", "closes": "2031-05-04T18:00:00Z",
  "contests": [{"id": "q", "title": "Q", "type": "choose", "options": ["Yes", "No"], "min": 0, "max": 1}],
  "styles": [{"id": "all", "contests": ["q"]}],
  "trustees": {"names": ["Tim"], "threshold": 1},
  "registrars": {"names": ["Office", "Union"], "rsa_bits": 2048},
  "box": {"shards": 2, "revote": "last", "challenges": 1},
  "tally": {"minimum": 1, "by": "election"},
  "voters": 10
}
JSON
make_election e manifest.json >made
write_config e
cp -r e/record authority
cp -r e/record unused
start_server e
printf %s "$url" >upstream
python3 proxy.py &
proxy=$!
wait_for proxy.port
proxy_url=http://127.0.0.1:$(cat proxy.port)

expect 0 admin status "$url"
says "phase: voting"
says "healthy"
expect 0 --json admin status "$url"
is_json
id=$(sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' stdout)
expect 3 admin status http://127.0.0.1:9
expect 2 admin status nowhere

# --- The roll ----------------------------------------------------------------------------------------
access=(--server "$admin" --token-file e/token)
printf '%s\n' voter,style alice,all bob,all carol,all >voters.csv
expect 0 registrar roll voters.csv --out roll-0.csv
expect 0 registrar roll voters.csv --out roll-1.csv
code_of() { awk -F, -v voter="$2" '$1 == voter {print $3}' "roll-$1.csv"; }
echo "not-the-token-of-this-server" >other-token
expect 1 admin import-roll authority roll-0.csv --registrar 0 --server "$admin" --token-file other-token --out roll-0.msg
complains "401"
expect 1 admin import-roll authority roll-0.csv --registrar 0 --server "$admin" --out roll-0.msg
expect 2 admin import-roll authority roll-0.csv --registrar 2 "${access[@]}" --out roll-0.msg
expect 1 admin import-roll authority manifest.json --registrar 0 "${access[@]}" --out roll-0.msg
expect 2 admin import-roll authority roll-0.csv --registrar 0 --server http://vote.example --token-file e/token --out roll-0.msg
complains "https"
[ ! -e roll-0.msg ] || fail "a message was written"
expect 0 admin import-roll authority roll-0.csv --registrar 0 "${access[@]}" --out roll-0.msg
says "3 voters"
expect 0 --json admin import-roll authority roll-1.csv --registrar 1 "${access[@]}" --out roll-1.msg
is_json
expect 1 voter enrol alice/record --server "$url" --wallet alice/wallet --voter alice --code "$(code_of 0 alice)" "$(code_of 1 alice)"
complains "registrar 0 (Office)"
expect 0 election add authority --key e/authority.key roll-0.msg roll-1.msg
expect 0 admin publish authority "${access[@]}"
says "2 entries added"
expect 0 --json admin publish authority "${access[@]}"
is_json
says '"added": 0'
expect 1 admin publish authority --server "$admin" --token-file other-token
expect 0 log show authority main
says "roll by registrar 0 (Office), import"
# Two servers, one of which is not there: the other gets it nevertheless.
expect 3 --json admin publish authority --server "$admin" http://127.0.0.1:9 --token-file e/token
is_json
says '"added": 0'

# --- Enrolment ---------------------------------------------------------------------------------------
expect 1 voter enrol alice/record --server "$url" --wallet alice/wallet --voter alice --code "$(code_of 0 alice)" wrong
complains "registrar 1 (Union)"
expect 0 voter enrol alice/record --server "$url" --wallet alice/wallet --voter alice --code "$(code_of 0 alice)" "$(code_of 1 alice)"
says "registrar 1 (Union) has signed"
! grep -q "registrar 0" stdout || fail "a registrar was asked twice"
expect 0 --json voter enrol alice/record --server "$url" --wallet alice/wallet --voter alice --code "$(code_of 0 alice)" "$(code_of 1 alice)"
is_json
says '"complete": true'
[ ! -e alice/record/box ] || fail "more than the main log was copied"
expect 1 voter enrol alice/record --server "$url" --wallet alice/second --voter alice --code "$(code_of 0 alice)" "$(code_of 1 alice)"
complains "409"
rm alice/second
expect 0 voter enrol bob/record --server "$proxy_url" --wallet bob/wallet --voter bob --style all \
  --registrar-url "1=$url" --code "$(code_of 0 bob)" "$(code_of 1 bob)"
expect 2 voter enrol carol/record --server "$url" --wallet carol/wallet --voter carol
complains "--code"
expect 2 voter enrol carol/record --server "$url" --wallet carol/wallet --code a b
complains "--voter"
expect 2 voter enrol carol/record --wallet carol/wallet --voter carol --code a b
complains "--server"
expect 2 voter enrol carol/record --server "$url" --out x --wallet carol/wallet --voter carol --code a b
expect 2 voter enrol carol/record --server "$url" --wallet carol/wallet --voter carol --code a b c
expect 1 voter enrol carol/record --server "$url" --wallet carol/wallet --voter carol --style west --code a b
expect 2 voter enrol carol/record --server "$url" --registrar-url "2=$url" --wallet carol/wallet --voter carol --code a b
expect 2 voter enrol alice/record --server "$url" --election "$(printf '%064d' 0)" --wallet carol/wallet --voter carol --code a b
expect 2 voter enrol carol/record --server "$url" --election 12 --wallet carol/wallet --voter carol --code a b
expect 3 voter enrol carol/other --server "$url" --election "$(printf '%064d' 0)" --wallet carol/wallet --voter carol --code a b
expect 3 voter enrol dora/record --server http://127.0.0.1:9 --wallet dora/wallet --voter dora --code a b

# --- Voting ------------------------------------------------------------------------------------------
vote() { # NAME CELL
  expect 0 --json voter vote "$1/record" --wallet "$1/wallet" --choice "q=$2"
  code=$(sed -n 's/.*"tracking_code": "\(.*\)".*/\1/p' stdout)
  [ -n "$code" ] || fail "no tracking code"
}
track() { # CODE NAME [OPTION...]: once what was sent is published
  local wanted=$1 name=$2
  shift 2
  expect "$wanted" voter track "$name/record" --wallet "$name/wallet" --server "$url" "$@"
}
expect 2 voter track alice/record --wallet alice/wallet --server "$url"

# A challenge, and one too many: refused, for a reason the box signs, and not sent again.
vote alice 2
alice_challenge=$code
expect 0 voter challenge alice/record --wallet alice/wallet --server "$url"
track 0 alice
says "$alice_challenge: box/"
says "challenged, not counted"
vote alice 1
alice_refused=$code
expect 1 --json voter challenge alice/record --wallet alice/wallet --server "$url" --receipts alice/receipts
is_json
says '"accepted": false'
says "V11"
# What the box has signed can be shown to others.
refused=alice/receipts/$alice_refused
expect 0 refusal check "$refused.refusal" "$refused.entry" alice/record
says "the box refused this entry for box/"
says "which the record does not have: V11"
printf x | cat "$refused.entry" - >other.entry
expect 1 refusal check "$refused.refusal" other.entry alice/record
complains "another entry"
sed 's/V11/V10/' "$refused.refusal" >changed.refusal
expect 1 refusal check changed.refusal "$refused.entry" alice/record
expect 0 voter sync alice/record --wallet alice/wallet --server "$url"
says "nothing waits"
track 0 alice
says "$alice_refused: refused by the box: V11"

vote alice 1
alice_first=$code
expect 2 voter cast alice/record --wallet alice/wallet
# What cannot be sent for a slip of the pen is not cast either.
expect 2 voter cast alice/record --wallet alice/wallet --server htps://vote.example
expect 3 voter cast alice/record --wallet alice/wallet --server "$url" --ca missing
expect 2 voter cast alice/record --wallet alice/wallet --server "$url" --offline
expect 0 --json voter cast alice/record --wallet alice/wallet --server "$url" --receipts alice/receipts
is_json
says '"sent": true'
says "\"tracking_code\": \"$alice_first\""
[ -s "alice/receipts/$alice_first.receipt" ] || fail "no receipt was written"
expect 2 voter cast alice/record --wallet alice/wallet --server "$url" # nothing is prepared
track 0 alice
says "$alice_first: box/"
says "counted"
expect 0 voter track alice/record --code "$alice_first" --server "$url"
says "a ballot"
expect 1 --json voter track alice/record --code "$(printf 'a%.0s' $(seq 52))" --server "$url"
is_json
expect 0 log mirror "$url/v1/elections/$id/record/" mirrored --election "$id"
expect 0 receipt check "alice/receipts/$alice_first.receipt" mirrored --code "$alice_first"
expect 0 refusal check "$refused.refusal" "$refused.entry" mirrored
says "of the record: V11"

# The answer is lost: the ballot is in the box, the voter does not know.
echo lose >temper
vote bob 2
bob_first=$code
expect 3 voter cast bob/record --wallet bob/wallet --server "$proxy_url"
complains "not sent"
complains "voter sync"
track 1 bob
says "no receipt came back"
expect 0 voter sync bob/record --wallet bob/wallet --server "$proxy_url" --receipts bob/receipts
says "$bob_first: the box took it"
expect 0 voter sync bob/record --wallet bob/wallet --server "$proxy_url" --receipts bob/receipts
says "nothing waits"
track 0 bob
says "$bob_first: box/"

# The server is busy: `cast` leaves it to `sync`, which waits.
printf 'busy\nbusy\nbusy\n' >temper
vote bob 1
bob_second=$code
expect 3 --json voter cast bob/record --wallet bob/wallet --server "$proxy_url"
is_json
says '"sent": false'
says '"waiting": 1'
expect 0 voter sync bob/record --wallet bob/wallet --server "$proxy_url"
says "$bob_second: the box took it"
track 0 bob
says "$bob_first: box/"
says "replaced by $bob_second"

# What answers is not the box.
echo hotel >temper
vote bob 2
bob_third=$code
expect 1 voter cast bob/record --wallet bob/wallet --server "$proxy_url"
complains "no receipt"

# A ballot that was tampered with is refused, too, and nothing of it is counted.
vote alice 2
cp alice/wallet alice/wallet.before
expect 0 voter cast alice/record --wallet alice/wallet --out tampered
mv alice/wallet.before alice/wallet
python3 - "$url/v1/elections/$id/ballots" <<'PY' || fail "a ballot that was tampered with is not refused"
import json, sys, urllib.error, urllib.request
ballot = bytearray(open("tampered", "rb").read())
ballot[-1] ^= 1
request = urllib.request.Request(sys.argv[1], bytes(ballot), {"Content-Type": "application/octet-stream"})
try:
    urllib.request.urlopen(request)
    sys.exit(1)
except urllib.error.HTTPError as error:
    sys.exit(0 if error.code == 422 and json.load(error)["refusal"].startswith("psephos/v1/refusal ") else 1)
PY

# --- The server is down ------------------------------------------------------------------------------
cp -r e/record earlier
stop_server
server=""
vote alice 1 # the ballot encrypted before, and not cast, is thrown away
alice_second=$code
expect 0 voter cast alice/record --wallet alice/wallet --offline
says "voter sync"
vote alice 1
expect 3 voter cast alice/record --wallet alice/wallet --server "$url"
complains "not sent"
expect 3 voter sync alice/record --wallet alice/wallet --server "$url"
expect 3 voter track alice/record --wallet alice/wallet --server "$url"

# It comes back, with TLS this time.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
  -keyout e/tls.key -out e/tls.pem 2>openssl.log
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
  -keyout other.key -out other.pem 2>openssl.log
sed -i 's/^\[http\]$/[http]\ncertificate = "tls.pem"\nkey = "tls.key"/' e/psephosd.toml
start_server e
url=${url/http:/https:}
access=(--server "$admin" --token-file e/token)
expect 3 voter sync alice/record --wallet alice/wallet --server "$url"
complains "TLS"
expect 3 voter sync alice/record --wallet alice/wallet --server "$url" --ca other.pem
complains "TLS"
complains "it may be another server"
expect 3 voter sync alice/record --wallet alice/wallet --server "$url" --ca no-such-file
expect 3 admin status "$url" --ca other.pem
expect 0 admin status "$url" --ca e/tls.pem
expect 0 voter sync alice/record --wallet alice/wallet --server "$url" --ca e/tls.pem
says "$alice_second: the box took it"
track 0 alice --ca e/tls.pem
says "$alice_second: box/"
expect 0 voter sync bob/record --wallet bob/wallet --server "$url" --ca e/tls.pem
track 0 bob --ca e/tls.pem
says "$bob_third: box/"

# --- A server that lies --------------------------------------------------------------------------------
mkdir -p "lies/v1/elections/$id"
serve() { # DIRECTORY: main log of today, boxes of another day
  rm -rf "lies/v1/elections/$id/record"
  cp -r e/record "lies/v1/elections/$id/record"
  rm -r "lies/v1/elections/$id/record/box"
  cp -r "$1/box" "lies/v1/elections/$id/record/box"
}
python3 -u -m http.server 0 --bind 127.0.0.1 --directory lies >lies.out 2>lies.log &
static=$!
for _ in $(seq 600); do
  ! grep -q "port [0-9]" lies.out || break
  sleep 0.1
done
honest=$url
url=http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\) .*/\1/p' lies.out)
serve e/record
track 0 alice
# An old log: what was shown and promised before is not in it. While the polls are open it may come.
serve earlier
track 3 alice
complains "not published yet"
complains "$alice_second"
! grep -q "WARNING" stderr || fail "an honest server is accused"
! ls alice/wallet.evidence* 2>/dev/null || fail "evidence against an honest server"
# A file that was damaged on the way is not the box's word.
serve e/record
for tile in lies/v1/elections/$id/record/box/*/tile/0/000.p/*; do
  head -c -1 "$tile" >tile
  cp tile "$tile"
done
track 1 alice
! grep -q "WARNING" stderr || fail "the box is accused of what a proxy did"
# Another history, signed by the same key, with the same ballots in another place.
cp -r unused forked
cp alice/wallet alice/wallet.kept
mkdir forks
for i in 1 2 3 4 5 6 7 8; do
  vote alice 1
  expect 0 voter cast alice/record --wallet alice/wallet --out "forks/$i.ballot"
  expect 0 box accept forked --key e/box.key --receipts forks "forks/$i.ballot"
done
mv alice/wallet.kept alice/wallet
serve forked
: >file
expect 1 voter track alice/record --wallet alice/wallet --server "$url" --evidence file
complains "WARNING"
complains "could not be kept"
track 1 alice
complains "two histories"
[ -s alice/wallet.evidence.seen-before ] || fail "no evidence"
# What the honest server shows is still what this wallet goes by.
url=$honest
track 0 alice --ca e/tls.pem

# --- The end -----------------------------------------------------------------------------------------
expect 0 admin stop authority "${access[@]}" --out final
says "stopped"
says "box/0"
ls final/{box-0,box-1,roll-0,roll-1}.checkpoint >/dev/null || fail "checkpoints are missing"
! grep -q "none of these servers" stderr || fail "all logs are stopped"
stub() { # YES|NO DIRECTORY: what a box says that is stopped, or not, with the logs of this record
  python3 - "$1" "$2" >stub.json <<'PY'
import json, sys
logs = {log: open(f"{sys.argv[2]}/{log}/checkpoint").read() for log in ("box/0", "box/1")}
print(json.dumps({"stopped": sys.argv[1] == "yes", "checkpoints": logs}))
PY
}
stub no earlier
expect 1 admin stop authority --server "$proxy_url" --token-file e/token
complains "goes on"
stub yes earlier
expect 0 admin stop authority --server "$proxy_url" --token-file e/token
complains "none of these servers keeps roll/0, roll/1"
expect 1 admin stop authority --server "$admin" "$proxy_url" --token-file e/token --out nothing
complains "two servers keep one log"
[ ! -e nothing ] || fail "checkpoints are written that contradict each other"
rm stub.json
vote alice 2
expect 3 voter cast alice/record --wallet alice/wallet --server "$url" --ca e/tls.pem
complains "not sent"
expect 0 admin resume authority "${access[@]}"
says "goes on"
expect 0 voter sync alice/record --wallet alice/wallet --server "$url" --ca e/tls.pem
vote bob 1
bob_late=$code
expect 0 --json admin stop authority "${access[@]}" --out final
is_json
for _ in $(seq 100); do # what was stopped is soon published
  expect 0 log mirror "$url/v1/elections/$id/record" closing --ca e/tls.pem
  rm -rf authority/box authority/roll
  cp -r closing/box closing/roll authority/
  ! "$psephos" election close authority --key e/authority.key --dry-run --checkpoint final/*.checkpoint >stdout 2>stderr || break
  sleep 0.1
done
expect 0 election close authority --key e/authority.key --checkpoint final/*.checkpoint
expect 0 admin publish authority "${access[@]}"
says "1 entries added"
expect 1 voter cast bob/record --wallet bob/wallet --server "$url" --ca e/tls.pem
complains "409"
track 1 bob --ca e/tls.pem
says "$bob_late: not sent"
says "counted"
track 0 alice --ca e/tls.pem
says "counted"
says "over which the polls were closed"
# What is not there now does not come any more.
closed=$url
url=http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\) .*/\1/p' lies.out)
serve earlier
rm -r alice/wallet.evidence.*
track 1 alice
complains "WARNING"
complains "$alice_second"
complains "alice/wallet.evidence.seen-before"
[ -s alice/wallet.evidence.seen-before ] || fail "no evidence"
[ -s alice/wallet.evidence.checkpoint ] || fail "no evidence"
[ -s alice/wallet.evidence.main-checkpoint ] || fail "no evidence"
[ -s "alice/wallet.evidence.$alice_second.receipt" ] || fail "no evidence"
expect 1 --json voter track alice/record --wallet alice/wallet --server "$url" --evidence kept
is_json
[ -s kept/wallet.evidence.checkpoint ] || fail "no evidence"
url=$closed
expect 2 voter vote alice/record --wallet alice/wallet --choice q=1

expect 0 election tally authority --key e/authority.key
expect 0 trustee decrypt authority --key e/trustee-1.key --out decryption
expect 0 election add authority --key e/authority.key decryption
expect 0 election result authority --key e/authority.key
expect 0 admin publish authority "${access[@]}"
says "the result is published"
expect 0 verify "$url/v1/elections/$id/record" --ca e/tls.pem --receipt "alice/receipts/$alice_first.receipt"
says "ACCEPTED"
stop_server
server=""
