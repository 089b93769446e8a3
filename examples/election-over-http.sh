#!/usr/bin/env bash
# A whole election over HTTP, every party a process of its own on this machine: registrar, ballot box, board, an identity
# provider, and three onlookers who follow the logs as witnesses will. Voters enrol by one-time code or by signing in,
# then vote, many at a time, from real ballots (examples/ballina2015); some challenge their device first, some vote again,
# some are offline when they vote. The polls are closed, the votes counted, and the record verified from its URL.
#
# usage: election-over-http.sh PSEPHOS PSEPHOSD [--voters N] [--provider DIR]
#
# N voters, 200 if not said. DIR is where npm has installed the identity provider (tests/sign_in/oidc_provider); without
# it, all voters use codes.
set -euo pipefail

psephos=$(realpath "${1:?usage: election-over-http.sh PSEPHOS PSEPHOSD}")
psephosd=$(realpath "${2:?usage: election-over-http.sh PSEPHOS PSEPHOSD}")
shift 2
voters=200 provider=
while [ $# -gt 0 ]; do
  case "$1" in
    --voters) voters=$2 ;;
    --provider) provider=$(realpath -m "$2") ;;
    *)
      echo "election-over-http.sh: unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done
if [ -n "$provider" ] && [ ! -e "$provider/installed" ]; then
  echo "no identity provider in $provider: all voters use codes" >&2
  provider=
fi
root=$(realpath "$(dirname "$0")/..")
. "$root/tests/server/election.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/psephos-http.XXXXXX")
processes=()
finish() {
  for process in "${processes[@]}"; do
    kill "$process" 2>/dev/null || true
  done
  wait
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
export PSEPHOS_PASSWORD="correct horse" psephos
say() { printf '\n== %s\n' "$*"; }

say "The key ceremony, and the opening"
python3 - "$root/examples/ballina2015/manifest.json" "$voters" >manifest.json <<'PY'
import json, sys
manifest = json.load(open(sys.argv[1]))
manifest["box"].update(shards=2, challenges=1, ballots=3)
manifest["registrars"]["rsa_bits"] = 2048
manifest["tally"]["minimum"] = 5
manifest["voters"] = int(sys.argv[2]) + 10
json.dump(manifest, sys.stdout)
PY
make_election authority manifest.json >ceremony.log 2>&1

# Every process has a record, keys and a store of its own.
for role in registrar box board; do
  mkdir "$role"
  cp authority/password "$role/"
  head -c 24 /dev/urandom | base64 >"$role/token"
  chmod 600 "$role/token"
  mkdir "$role/record"
  cp -r authority/record/manifest.json authority/record/main "$role/record/"
done
mkdir registrar/record/roll box/record/box
mv authority/record/roll/0 registrar/record/roll/
mv authority/record/box/* box/record/box/
rmdir authority/record/roll authority/record/box
mv authority/registrar-0.key registrar/
mv authority/box.key box/

# serve ROLE: starts it; sets ROLE_url and ROLE_admin.
serve() {
  local role=$1
  start_server "$role"
  processes+=("$server")
  declare -g "${role}_url=$url" "${role}_admin=$admin" "${role}_process=$server"
}
config() {
  local role=$1
  printf 'role = "%s"\n[http]\nlisten = ["127.0.0.1:0"]\nrate_per_second = 0\n' "$role"
  printf '[admin]\nlisten = "127.0.0.1:0"\ntoken_file = "token"\n[[election]]\nrecord = "record"\n'
}

say "The identity provider, the registrar, the box, the board"
sign_in=
if [ -n "$provider" ]; then
  mkfifo provider.stdin
  node "$provider/server.mjs" <provider.stdin >provider.out 2>provider.log &
  processes+=("$!")
  exec 9>provider.stdin # it ends with its standard input
  until grep -q '^port' provider.out; do sleep 0.1; done
  issuer=http://127.0.0.1:$(sed -n 's/^port //p' provider.out)
  sign_in="[election.registrar.oidc]
issuer = \"$issuer\"
client_id = \"psephos-wallet\"
resource = \"https://registrar.example\"
scope = \"openid\"
claim = \"sub\""
  echo "identity provider: $issuer"
fi
{
  config registrar
  printf '[[election.registrar]]\nindex = 0\nstore = "registrar.sqlite"\nkey = "registrar-0.key"\npassword_file = "password"\n'
  printf '%s\n' "$sign_in"
} >registrar/psephosd.toml
{
  config box
  printf '[election.box]\nstore = "box.sqlite"\nkey = "box.key"\npassword_file = "password"\nexport_interval = "200ms"\n'
} >box/psephosd.toml
serve registrar
serve box
id=$(election_id "$box_url")
{
  config board
  printf '[election.board]\npoll = "200ms"\nmirrors = [\n'
  printf '  { logs = ["box/0", "box/1"], url = "%s/v1/elections/%s/record/" },\n' "$box_url" "$id"
  printf '  { logs = ["roll/0"], url = "%s/v1/elections/%s/record/" },\n]\n' "$registrar_url" "$id"
  printf '[election.live]\nstep = 1\ninterval = "1s"\n'
} >board/psephosd.toml
serve board
record_url=$board_url/v1/elections/$id/record/
printf 'registrar %s\nbox       %s\nboard     %s\n' "$registrar_url" "$box_url" "$board_url"

# publish: what the authority has added to the main log goes to every server.
publish() {
  for role in registrar box board; do
    local address=${role}_admin
    "$psephos" admin publish authority/record --server "${!address}" --token-file "$role/token" >/dev/null
  done
}

say "The roll of $voters voters"
{
  echo voter,style
  for ((i = 1; i <= voters; ++i)); do echo "voter$i,ballina"; done
} >voters.csv
"$psephos" registrar roll voters.csv --out roll.csv
"$psephos" admin import-roll authority/record roll.csv --registrar 0 --server "$registrar_admin" --token-file registrar/token --out roll.msg
"$psephos" election add authority/record --key authority/authority.key roll.msg
publish

# Three onlookers: each follows the logs and refuses a history that is not a continuation.
for i in 1 2 3; do
  "$psephos" log mirror "$record_url" "onlooker-$i" --election "$id" --watch 1 >"onlooker-$i.log" 2>&1 &
  processes+=("$!")
done

# vote NUMBER CHOICE: one voter, with a wallet of their own.
vote() {
  set -euo pipefail
  local number=$1 choice=$2 name=voter$1
  mkdir "$name"
  cd "$name"
  if [ -n "$provider" ] && ((number % 2 == 0)); then
    # A browser: follows the address it is told, and signs in.
    "$psephos" voter enrol record --server "$box_url" --registrar-url "0=$registrar_url" --wallet wallet --style ballina \
      --no-browser 2>address &
    local wallet=$!
    python3 - "$name" <<'PY'
import http.cookiejar, re, sys, time, urllib.request
for _ in range(600):
    found = re.search(r"http://\S+/auth\?\S+", open("address").read())
    if found:
        break
    time.sleep(0.1)
jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
urllib.request.build_opener(jar).open(found.group(0) + "&login_hint=" + sys.argv[1], timeout=60).read()
PY
    wait "$wallet"
  else
    "$psephos" voter enrol record --server "$box_url" --registrar-url "0=$registrar_url" --wallet wallet --style ballina \
      --voter "$name" --code "$(sed -n "s/^$name,ballina,//p" ../roll.csv)"
  fi
  if ((number % 7 == 0)); then # tests the device first
    "$psephos" voter vote record --wallet wallet --choice assembly=1
    "$psephos" voter challenge record --wallet wallet --server "$box_url"
  fi
  if ((number % 5 == 0)); then # votes, and thinks better of it
    "$psephos" voter vote record --wallet wallet --choice assembly=7
    "$psephos" voter cast record --wallet wallet --server "$box_url"
  fi
  "$psephos" voter vote record --wallet wallet --choice "assembly=$choice"
  if ((number % 3 == 0)); then # on the train: the ballot waits in the wallet
    "$psephos" voter cast record --wallet wallet --offline
    "$psephos" voter sync record --wallet wallet --server "$box_url" --receipts receipts
  else
    "$psephos" voter cast record --wallet wallet --server "$box_url" --receipts receipts
  fi
}
export -f vote
export provider box_url registrar_url

say "Enrolling and voting, $(nproc) at a time"
tail -n +2 "$root/examples/ballina2015/ballots.csv" | head -n "$voters" | cut -d, -f2 >choices
started=$SECONDS
seq "$voters" | paste - choices |
  parallel --will-cite --halt now,fail=1 -j "$(nproc)" --colsep '\t' 'vote {1} {2} >vote-{1}.log 2>&1 || { cat vote-{1}.log >&2; false; }'
echo "$voters voters in $((SECONDS - started)) s"

say "Stopping, closing"
for role in box registrar; do
  address=${role}_admin
  "$psephos" admin stop authority/record --server "${!address}" --token-file "$role/token" --out checkpoints
done
cp -r box/record/box authority/record/
cp -r registrar/record/roll authority/record/
"$psephos" election close authority/record --key authority/authority.key --checkpoint checkpoints/*
publish

say "Counting"
"$psephos" election tally authority/record --key authority/authority.key
for i in 1 2; do
  "$psephos" trustee decrypt authority/record --key "authority/trustee-$i.key" --out "decryption-$i"
done
"$psephos" election add authority/record --key authority/authority.key decryption-1 decryption-2
"$psephos" election result authority/record --key authority/authority.key
publish

say "Verifying from $record_url"
tries=0
until "$psephos" verify "$record_url" --mirror copy --receipt voter*/receipts/*; do
  # The board needs a moment to get the last entries from the box.
  ((++tries < 20)) || exit 1
  sleep 0.5
done

say "Comparing with a count of the ballots by hand"
python3 - "$voters" <<'PY'
import collections, csv, sys
counted = {int(row["option"]): int(row["votes"]) for row in csv.DictReader(open("copy/result.csv"))}
expected = collections.Counter(int(line) for line in open("choices"))
for option, votes in counted.items():
    assert votes == expected[option], (option, votes, expected[option])
print("the totals are those of", sys.argv[1], "ballots")
PY
for i in 1 2 3; do
  cmp -s "onlooker-$i/manifest.json" copy/manifest.json || {
    cat "onlooker-$i.log"
    exit 1
  }
done
# What the servers have written about all this names no voter and no ballot.
if grep -hE 'voter[0-9]|([a-z2-7]{4}-){12}' registrar/psephosd.log box/psephosd.log board/psephosd.log; then
  echo "a server's log tells of a voter or a ballot" >&2
  exit 1
fi

say "Stopping the servers"
for role in board box registrar; do
  process=${role}_process
  kill -TERM "${!process}"
  wait "${!process}"
done
echo "done"
