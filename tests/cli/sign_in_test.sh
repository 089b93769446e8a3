#!/usr/bin/env bash
# Enrolment with a real identity provider at two registrars, the first of which would like to have the other's signature
# on a key of its own.
#
# usage: sign_in_test.sh PSEPHOS_FAST_KEYS PSEPHOSD PROVIDER
#
# PROVIDER is where npm has installed the identity provider (tests/sign_in/oidc_provider).
set -euo pipefail

psephosd=$(realpath "$2")
provider=$(realpath -m "$3")
if [ ! -e "$provider/installed" ]; then
  echo "no identity provider in $provider" >&2
  exit 77
fi
here=$(realpath "$(dirname "$0")")
. "$here/tool.sh"
. "$here/../server/election.sh"

server="" processes=()
quit() {
  for process in $server "${processes[@]}"; do
    kill "$process" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap quit EXIT
wait_for() { # FILE TEXT
  for _ in $(seq 600); do
    ! grep -q "$2" "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  fail "$1 does not get: $2"
}

# --- An election whose registrars ask for a sign-in ---------------------------------------------------
cat >manifest.json <<'JSON'
{
  "psephos": "manifest/v1", "title": "Sign-in", "origin": "example.org/sign-in",
  "opens": "2031-05-01T06:00:00Z", "closes": "2031-05-04T18:00:00Z",
  "contests": [{"id": "q", "title": "Q", "type": "choose", "options": ["Yes", "No"], "min": 0, "max": 1}],
  "styles": [{"id": "all", "contests": ["q"]}],
  "trustees": {"names": ["Tim"], "threshold": 1},
  "registrars": {"names": ["Office", "Union"], "rsa_bits": 2048},
  "box": {"shards": 1, "revote": "last", "challenges": 1},
  "tally": {"minimum": 1, "by": "election"},
  "voters": 10
}
JSON
make_election e manifest.json >made
write_config e
mkfifo provider.stdin
node "$provider/server.mjs" <provider.stdin >provider.out 2>provider.log &
processes+=("$!")
exec 9>provider.stdin # it ends with its standard input
wait_for provider.out '^port'
issuer=http://127.0.0.1:$(sed -n 's/^port //p' provider.out)
# sign_in RESOURCE...: how the registrars want it from now on, each with its own resource or none.
cp e/psephosd.toml plain.toml
sign_in() {
  python3 - "$issuer" "$@" <<'PY'
import sys
issuer, resources = sys.argv[1], sys.argv[2:]
parts = open("plain.toml").read().split("[[election.registrar]]\n")
for n, resource in enumerate(resources):
    section = f'[election.registrar.oidc]\nissuer = "{issuer}"\nclient_id = "psephos-wallet"\n'
    if resource:
        section += f'resource = "{resource}"\n'
    head, bracket, tail = parts[n + 1].partition("[election.")
    parts[n + 1] = head + section + bracket + tail
open("e/psephosd.toml", "w").write("[[election.registrar]]\n".join(parts))
PY
}
sign_in "" ""
start_server e
id=$(election_id "$url")
cp -r e/record authority
access=(--server "$admin" --token-file e/token)
printf '%s\n' voter,style voter1,all voter2,all voter3,all >voters.csv
for r in 0 1; do
  expect 0 registrar roll voters.csv --out "roll-$r.csv"
  expect 0 admin import-roll authority "roll-$r.csv" --registrar "$r" "${access[@]}" --out "roll-$r.msg"
done
expect 0 election add authority --key e/authority.key roll-0.msg roll-1.msg
expect 0 admin publish authority "${access[@]}"
cp -r authority thief

# --- Registrar 0 -------------------------------------------------------------------------------------
# It serves whom it must, but first tries what it gets at registrar 1, for a request of its own; then it loses its first
# answer to each voter.
expect 0 voter enrol thief --wallet thief.wallet --voter voter1 --code a b --out requests
cat >dishonest.py <<'PY'
import http.server, os, sys, urllib.error, urllib.request
upstream = sys.argv[1]
lost = set()
def ask(path, body, headers):
    request = urllib.request.Request(upstream + path, body, headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) if self.command == "POST" else None
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if self.headers[name]}
        if body:
            for registrar in 0, 1:
                status, answer = ask(self.path.replace("/registrars/0/", f"/registrars/{registrar}/"),
                                     open(f"requests/request-{registrar}.request", "rb").read(), headers)
                print("stolen", registrar, status, answer, file=open("thefts", "a"))
        status, answer = ask(self.path, body, headers)
        if body and body not in lost:
            lost.add(body)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    do_GET = do_POST
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()
PY
python3 dishonest.py "$url" >dishonest.out &
processes+=("$!")
wait_for dishonest.out '^port'
dishonest=http://127.0.0.1:$(sed -n 's/^port //p' dishonest.out)

# browse VOTER: a browser that opens what the wallet writes into `address`, until `over` is there. It signs in once; the
# provider remembers. Before, a page in it tries what listens on this machine.
cat >browser.py <<'PY'
import http.cookiejar, os, re, sys, time, urllib.error, urllib.parse, urllib.request
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
opened = []
for _ in range(1200):
    for url in re.findall(r"http://\S+/auth\?\S+(?=\s)", open("address").read()):
        if url in opened:
            continue
        redirect = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["redirect_uri"][0]
        for query in "", "?code=x&state=guessed", "?error=access_denied":
            try:
                urllib.request.urlopen(redirect + query)
                sys.exit("an answer to no question was taken")
            except urllib.error.HTTPError as error:
                assert error.code == 404, error
        page = browser.open(url + ("" if opened else "&login_hint=" + sys.argv[1]), timeout=60).read()
        assert b"You can close this window" in page, page
        opened.append(url)
    if os.path.exists("over"):
        sys.exit(0)
    time.sleep(0.05)
sys.exit("the wallet does not end")
PY
# enrol CODE VOTER ARGUMENT...: runs `voter enrol` beside a browser.
enrol() {
  local wanted=$1 voter=$2 browser code=0
  shift 2
  rm -f over
  : >address
  python3 browser.py "$voter" &
  browser=$!
  "$psephos" voter enrol "$voter/record" --server "$url" --wallet "$voter/wallet" --no-browser "$@" >stdout 2>address || code=$?
  cp address stderr
  touch over
  wait "$browser" || fail "the browser did not get where it should"
  [ "$code" = "$wanted" ] || fail "psephos voter enrol: exit code $code, not $wanted"
}

enrol 3 voter1 --registrar-url "0=$dishonest"
[ "$(grep -c /auth address)" = 1 ] || fail "the wallet went on without the first answer"
# Again, for the same: the registrar has answered, and answers the same.
enrol 0 voter1 --registrar-url "0=$dishonest"
says "the credential is complete"
[ "$(grep -c /auth address)" = 2 ] || fail "two registrars, and not two sign-ins"
[ "$(grep -c "^stolen" thefts)" -ge 4 ] || fail "nobody tried to steal"
! grep -v "^stolen [01] 401 .*nonce" thefts || fail "registrar 0 got a signature"
# With a code for one and a sign-in for the other.
code=$(awk -F, '$1 == "voter2" {print $3}' roll-0.csv)
echo "0=$code" >voter2.code
enrol 0 voter2 --voter voter2 --code-file voter2.code
[ "$(grep -c /auth address)" = 1 ] || fail "a sign-in in spite of a code"

# --- Access tokens --------------------------------------------------------------------------------------
# Nothing is asked for what two registrars would take.
stop_server
server=""
sign_in https://registrar.example https://registrar.example
start_server e
expect 1 voter enrol voter3/record --server "$url" --wallet voter3/wallet --no-browser
complains "for the same resource"
! grep -q /auth stderr || fail "a sign-in was begun"
code=$(awk -F, '$1 == "voter3" {print $3}' roll-1.csv)
expect 1 voter enrol voter3/record --server "$url" --wallet voter3/wallet --no-browser --voter voter3 --code "1=$code"
complains "for the same resource"
stop_server
server=""
sign_in https://registrar.example ""
start_server e
enrol 0 voter3
says "the credential is complete"
stop_server
server=""
