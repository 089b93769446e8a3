#!/usr/bin/env bash
# A whole election, role by role, with the tool: every role has a copy of the record of its own, and only files
# travel between them.
#
# usage: roles_test.sh PSEPHOS_FAST_KEYS
set -euo pipefail

. "$(dirname "$0")/tool.sh"

mode_of() { stat -c %a "$1"; }

# --- Setting up --------------------------------------------------------------------------------------
expect 0 --version
says "psephos "
expect 0 manifest new --out sample.json
expect 0 manifest check sample.json
expect 2 manifest new --out sample.json # never over an existing file

cat >manifest.json <<'JSON'
{
  "psephos": "manifest/v1",
  "title": "Roles",
  "origin": "example.org/roles",
  "opens": "2031-05-01T06:00:00Z",
  "closes": "2031-05-04T18:00:00Z",
  "contests": [
    {"id": "mayor", "title": "Mayor", "type": "choose", "options": ["Ada", "Ben", "Cem"], "min": 0, "max": 1},
    {"id": "council", "title": "Council", "type": "choose", "options": ["Dee", "Eva", "Fay"], "min": 0, "max": 2},
    {"id": "budget", "title": "Budget", "type": "score", "options": ["Library", "Park"], "range": 4, "min": 0, "max": 6}
  ],
  "styles": [
    {"id": "north", "contests": ["mayor", "council", "budget"]},
    {"id": "south", "contests": ["mayor", "budget"]}
  ],
  "trustees": {"names": ["Tim", "Tom", "Tia"], "threshold": 2},
  "registrars": {"names": ["Office", "Union"], "rsa_bits": 2048},
  "box": {"shards": 2, "revote": "last", "challenges": 1},
  "tally": {"minimum": 2, "by": "election"},
  "voters": 10
}
JSON
expect 0 manifest check manifest.json
says "digest: $(sha256sum manifest.json | cut -d' ' -f1)"
expect 0 --json manifest check manifest.json
is_json
says '"threshold": 2'
says '"quorum": 0'

# A manifest with witnesses is sound, but this tool cannot lead the election.
python3 - >witnessed.json <<'PY'
import base64, hashlib, json
name, key = "example.org/witness", bytes([4]) + bytes.fromhex(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex()
manifest = json.load(open("manifest.json"))
manifest["witnesses"] = {"keys": [f"{name}+{id}+{base64.b64encode(key).decode()}"], "quorum": 1}
print(json.dumps(manifest))
PY
expect 0 --json manifest check witnessed.json
is_json
says '"example.org/witness"'

mkdir authority box
expect 0 authority new --out authority/key
complains "poorly protected"
[ "$(mode_of authority/key)" = 600 ] || fail "a key can be read by others"
for i in 1 2 3; do
  mkdir "trustee-$i"
  expect 0 trustee new manifest.json --index $i --out trustee-$i/key --card trustee-$i/card
done
expect 2 trustee new manifest.json --index 4 --out trustee-4.key --card trustee-4.card
for r in 0 1; do
  mkdir "registrar-$r"
  expect 0 registrar new manifest.json --index $r --out registrar-$r/key --card registrar-$r/card
  [ "$(mode_of registrar-$r/key)" = 600 ] || fail "a key can be read by others"
done
expect 0 box new manifest.json --out box/key --card box/card

# An empty value is never taken for a missing one.
expect 2 authority new --out ""
expect 2 manifest check ""
expect 2 --password-file "" authority new --out other-key
expect 2 nonsense
complains 'no command is called "nonsense"'
expect 2 trustee comm record
complains '"comm"'
# Passwords from a file: one line, however it ends.
printf 'correct horse\r\n' >crlf
expect 2 --password-file crlf election new manifest.json record --key authority/key --trustee-card trustee-1/card
complains "2 (Tom)"
printf 'correct horse\nbattery\n' >lines
expect 1 --password-file lines authority new --out other-key
complains "lines: holds more than one line"

# Cards: all of them, once, and of this manifest.
expect 2 election new manifest.json record --key authority/key --trustee-card trustee-{1,2}/card
complains "3 (Tia)"
expect 2 election new manifest.json record --key authority/key --trustee-card trustee-{1,2,3,3}/card
expect 1 election new sample.json record --key authority/key --trustee-card trustee-{1,2,3}/card
complains "another manifest"
sed 's/"trustee": 1/"trustee": 1, "trustee": 2/' trustee-1/card >twice.card
expect 1 election new manifest.json record --key authority/key --trustee-card twice.card
complains "occurs twice"
sed 's/"trustee": 1/"trustee": 1, "extra": 2/' trustee-1/card >extra.card
expect 1 election new manifest.json record --key authority/key --trustee-card extra.card
[ ! -e record ] || fail "a record was made of bad cards"
expect 2 election new witnessed.json record --key authority/key --trustee-card trustee-{1,2,3}/card
complains "witnesses.quorum is 1"
mkdir record # an empty directory may be there
expect 0 --json election new manifest.json record --key authority/key --trustee-card trustee-{3,1,2}/card
is_json
expect 0 --json election status record
is_json
roster=$(sed -n 's/.*"roster": "\([0-9a-f]\{64\}\)".*/\1/p' stdout)
[ -n "$roster" ] || fail "no roster digest"
expect 2 election new manifest.json record --key authority/key --trustee-card trustee-{1,2,3}/card

# --- Key ceremony ------------------------------------------------------------------------------------
for round in commit reveal share confirm; do
  expect 0 election status record
  says "trustee 2 (Tom): trustee $round"
  for i in 1 2 3; do
    give record trustee-$i/record
    if [ $i = 1 ]; then
      expect 0 --json trustee $round trustee-$i/record --key trustee-$i/key --out trustee-$i/$round
      is_json
      [ $round != commit ] || says "\"roster\": \"$roster\""
    else
      expect 0 trustee $round trustee-$i/record --key trustee-$i/key --out trustee-$i/$round
      [ $round != commit ] || says "roster digest: $roster"
    fi
  done
  expect 2 trustee $round trustee-1/record --key trustee-1/key --out trustee-1/$round
  # One message of another round, and none of the batch is taken.
  if [ $round = commit ]; then
    expect 2 trustee share trustee-1/record --key trustee-1/key --out trustee-1/early
  else
    expect 1 election add record --key authority/key trustee-1/$round trustee-2/commit
    complains "trustee-2/commit"
  fi
  expect 0 election status record
  says "trustee 1 (Tim): trustee $round"
  expect 0 --json election add record --key authority/key trustee-{2,1,3}/$round
  is_json
done
expect 0 election status record
says "phase: ready to open"

expect 2 election open record --key authority/key --registrar-card registrar-0/card --box-card box/card
complains "1 (Union)"
expect 0 election open record --key authority/key --registrar-card registrar-{1,0}/card --box-card box/card
says "election id: "
expect 2 election open record --key authority/key --registrar-card registrar-{1,0}/card --box-card box/card
expect 0 --json election status record
is_json
says '"phase": "voting"'

# --- Enrolment ---------------------------------------------------------------------------------------
printf '%s\n' voter,style alice,north bob,south carol,north dave,south eve,south >voters.csv
give record box/record
give record public
for r in 0 1; do
  give record registrar-$r/record
  expect 0 registrar start registrar-$r/record --key registrar-$r/key
  cp -r registrar-$r/record/roll/$r registrar-$r/unused
  expect 2 registrar start registrar-$r/record --key registrar-$r/key
  expect 0 --json registrar roll voters.csv --out registrar-$r/roll.csv
  is_json
  says '"voters": 5'
  [ "$(mode_of registrar-$r/roll.csv)" = 600 ] || fail "a roll can be read by others"
  [ "$(sort -t, -k3,3 -u registrar-$r/roll.csv | wc -l)" = 6 ] || fail "two voters have one code"
done
cp -r box box-unstarted
expect 0 box start box/record --key box/key
expect 2 box start box/record --key box/key
cp -r box/record/box box-unstarted/record/

code_of() { awk -F, -v voter="$2" '$1 == voter {print $3}' registrar-"$1"/roll.csv; }
enrol() { # NAME STYLE CODE...
  local name=$1 style=$2
  shift 2
  mkdir -p "$name"
  expect 0 --json voter enrol public --wallet "$name/wallet" --style "$style" --voter "$name" --code "$@" --out "$name/out"
  is_json
  for r in 0 1; do
    mkdir -p registrar-$r/in
    mv "$name/out/request-$r.request" "registrar-$r/in/$name.request"
  done
}
enrol alice north "$(code_of 0 alice)" "$(code_of 1 alice)"
enrol bob south "$(code_of 0 bob)" "$(code_of 1 bob)"
enrol carol north "$(code_of 0 carol)" "$(code_of 1 carol)"
enrol dave south "$(code_of 0 dave)" "$(code_of 1 dave)"
enrol eve south "not-the-code" "nor-this"
# A code that two registrars get, either could use at the other.
expect 2 voter enrol public --wallet x --style south --voter eve --code c --out x
complains "2 registrars"
expect 2 voter enrol public --wallet x --style south --voter eve --code c c --out x
complains "the same code"
expect 2 voter enrol public --wallet x --style south --voter eve --code 0=c 1=c --out x
complains "the same code"
expect 2 voter enrol public --wallet x --style south --voter eve --code 0=c 0=d --out x
complains "two codes"
expect 2 voter enrol public --wallet x --style south --voter eve --code 0=c 2=d --out x
expect 2 voter enrol public --wallet x --style south --voter eve --code 0=c d --out x
expect 2 voter enrol public --wallet x --style south --voter eve --code 1=c --out x
complains "registrar 0"
printf '\r\n\nc\nc\n' >codes
expect 2 voter enrol public --wallet x --style south --voter eve --code-file codes --out x
complains "the same code"
expect 2 voter enrol public --wallet x --style south --voter eve --code-file codes --code c d --out x
[ ! -e x ] || fail "something was written"
# They may stand in a file, as nobody else can see them there.
printf '1=%s\r\n0=%s\n' "$(code_of 1 carol)" "$(code_of 0 carol)" >codes
expect 0 voter enrol public --wallet carol/wallet --style north --voter carol --code-file codes --out from-file
for r in 0 1; do
  cmp registrar-$r/in/carol.request from-file/request-$r.request || fail "codes in a file are others"
done
expect 1 voter enrol public --wallet x --style west --voter alice --code c --out x
expect 2 voter enrol public --wallet alice/wallet --style south --voter alice --code c --out x

for r in 0 1; do
  expect 1 registrar issue registrar-$r/record --key registrar-$r/key --roll registrar-$r/roll.csv --out registrar-$r/out registrar-$r/in/*.request
  says "refused  registrar-$r/in/eve.request"
  says "answered registrar-$r/in/alice.request"
  complains "eve.request"
  [ ! -e registrar-$r/out/eve.response ] || fail "a refused request was answered"
  # The same request again, the same answer.
  expect 0 registrar issue registrar-$r/record --key registrar-$r/key --roll registrar-$r/roll.csv --out registrar-$r/again registrar-$r/in/bob.request
  cmp registrar-$r/out/bob.response registrar-$r/again/bob.response || fail "two answers differ"
done
# Another request of the same voter is refused.
mkdir thief
expect 0 voter enrol public --wallet thief/wallet --style south --voter bob --code "$(code_of 0 bob)" x --out thief
expect 1 registrar issue registrar-0/record --key registrar-0/key --roll registrar-0/roll.csv --out thief thief/request-0.request

expect 2 voter vote public --wallet alice/wallet --choice mayor=1 # no credential yet
for name in alice bob carol dave; do
  expect 0 voter receive public --wallet $name/wallet registrar-0/out/$name.response
  says "still missing: registrar 1 (Union)"
  expect 0 voter receive public --wallet $name/wallet registrar-1/out/$name.response
  says "complete"
done
expect 2 voter receive public --wallet alice/wallet registrar-0/out/alice.response
expect 2 voter vote record --wallet alice/wallet --choice ""
expect 2 voter receive public --wallet eve/wallet registrar-0/out/alice.response

# --- Voting ------------------------------------------------------------------------------------------
vote() { # NAME CHOICE...: leaves the tracking code in $code
  local name=$1 choices=() choice
  shift
  for choice in "$@"; do choices+=(--choice "$choice"); done
  expect 0 voter vote public --wallet "$name/wallet" "${choices[@]}"
  code=$(cat stdout)
}
expect 1 voter vote public --wallet bob/wallet --choice council=1
complains 'no contest "council"'
expect 1 voter vote public --wallet bob/wallet --choice 'mayor=1|2'
complains 'contest "mayor": 2 chosen, at most 1'
expect 1 voter vote public --wallet bob/wallet --choice mayor=9
expect 1 voter vote public --wallet bob/wallet --choice mayor
expect 1 voter vote public --wallet bob/wallet --choice mayor=1 --choice mayor=2
expect 2 voter cast public --wallet bob/wallet --out bob/nothing

vote alice mayor=1
alice_first=$code
expect 0 voter cast public --wallet alice/wallet --out alice/first.ballot
expect 2 voter cast public --wallet alice/wallet --out alice/twice.ballot
expect 0 voter cast public --wallet alice/wallet --again --out alice/again.ballot
cmp alice/first.ballot alice/again.ballot || fail "the same ballot was written differently"
vote bob mayor=1
vote bob mayor=3 # a change of mind
complains "thrown away"
bob_challenge=$code
expect 0 voter challenge public --wallet bob/wallet --out bob/test.challenge
expect 2 voter cast public --wallet bob/wallet --out bob/test.ballot # opened, never cast
vote carol mayor=2 council=2
carol=$code
expect 0 voter cast public --wallet carol/wallet --out carol/carol.ballot

# The logs are there, but this copy of the keys was never started for the election.
expect 2 box accept box-unstarted/record --key box-unstarted/key --receipts unstarted carol/carol.ballot
complains "box-unstarted/key: these box keys have not been started for this election"
# A ballot altered on the way.
cp carol/carol.ballot altered.ballot
size=$(stat -c %s altered.ballot)
printf '\x01' | dd of=altered.ballot bs=1 seek=$((size - 40)) conv=notrunc status=none
cmp -s carol/carol.ballot altered.ballot && printf '\x02' | dd of=altered.ballot bs=1 seek=$((size - 40)) conv=notrunc status=none
head -c 100 /dev/zero >empty.ballot
expect 1 box accept box/record --key box/key --receipts receipts altered.ballot empty.ballot alice/first.ballot bob/test.challenge carol/carol.ballot
says "refused  altered.ballot"
says "refused  empty.ballot"
says "accepted carol/carol.ballot"
complains "altered.ballot"
[ "$(ls receipts)" = "$(printf '%s\n' carol.receipt first.receipt test.receipt)" ] || fail "other receipts than expected"
cp -r box/record box/early # as it was now
mkdir same
cp carol/carol.ballot same/carol.ballot
expect 2 box accept box/record --key box/key --receipts same carol/carol.ballot same/carol.ballot
complains "carol/carol.ballot and same/carol.ballot"
# Handed in again, it is the same entry.
expect 0 --json box accept box/record --key box/key --receipts again carol/carol.ballot
is_json
says '"accepted": true'
python3 -c 'import json; assert sum(json.load(open("stdout"))["logs"].values()) == 3' || fail "not 3 entries"

vote alice mayor=2 'council=1|3' 'budget=1:4|2:2'
alice_second=$code
expect 0 voter cast public --wallet alice/wallet --out alice/second.ballot
vote bob mayor=3 budget=2:1
expect 0 voter cast public --wallet bob/wallet --out bob/bob.ballot
vote dave
expect 0 voter cast public --wallet dave/wallet --out dave/dave.ballot
expect 0 box accept box/record --key box/key --receipts receipts alice/second.ballot bob/bob.ballot dave/dave.ballot

# Receipts and tracking, in the box's own record.
expect 0 receipt check receipts/carol.receipt box/record --code "$carol"
expect 0 --json receipt check receipts/carol.receipt box/record --code "$(tr a-z- 'A-Z ' <<<"$carol")"
is_json
expect 2 receipt check receipts/carol.receipt box/record --code ""
expect 1 receipt check receipts/carol.receipt box/record --code "$alice_first"
expect 0 box receipt box/record --code "$bob_challenge" --out bob/found.receipt
expect 0 receipt check bob/found.receipt box/record --code "$bob_challenge"
expect 0 voter track box/record --wallet alice/wallet
grep -qE "^$alice_first: box/[01] entry [0-9]+, replaced by entry" stdout || fail "first ballot not replaced"
grep -qE "^$alice_second: box/[01] entry [0-9]+, counted" stdout || fail "second ballot not counted"
expect 0 --json voter track box/record --code "$bob_challenge"
says '"challenged": true'
expect 2 voter track box/record --wallet thief/wallet
expect 2 voter track box/record
expect 1 voter track box/record --code "$(sha256sum voters.csv | tr -c 'a-z2-7\n' a | cut -c1-51)a"

# --- Closing and counting ----------------------------------------------------------------------------
expect 3 election close record --key authority/key # the logs are not here yet
cp -r box/record/box record/
mkdir record/roll
cp -r registrar-0/record/roll/0 registrar-1/record/roll/1 record/roll/
expect 2 election tally record --key authority/key
kept=(box/record/box/{0,1}/checkpoint registrar-0/record/roll/0/checkpoint registrar-1/record/roll/1/checkpoint)
# Copies that are older than what box and registrars have, and then a box log that is another one.
rm -r record/box
cp -r box/early/box record/
expect 1 election close record --key authority/key --checkpoint "${kept[@]}"
complains "fewer entries"
complains "box/record/box"
rm -r record/box record/roll/1
cp -r box/record/box record/
cp -r registrar-1/unused record/roll/1
expect 1 election close record --key authority/key
complains "V10"
expect 1 election close record --key authority/key --checkpoint registrar-1/record/roll/1/checkpoint
complains "registrar-1/record/roll/1/checkpoint: the log has fewer"
rm -r record/roll/1
cp -r registrar-1/record/roll/1 record/roll/
expect 1 election close record --key authority/key --checkpoint voters.csv
complains voters.csv
before=$(find record -type f -exec sha256sum {} + | sort)
expect 0 --json election close record --key authority/key --checkpoint "${kept[@]}" --dry-run
is_json
says '"closed": false'
[ "$before" = "$(find record -type f -exec sha256sum {} + | sort)" ] || fail "a dry run changed the record"
expect 0 election close record --key authority/key --checkpoint "${kept[@]}" box/early/box/{0,1}/checkpoint
says "6 entries"
says "roll/1: 4 entries, root "
expect 2 election close record --key authority/key
expect 2 voter vote record --wallet bob/wallet
complains 'phase is "closed"'
expect 2 voter cast record --wallet bob/wallet --out bob/late.ballot
expect 0 voter cast record --wallet bob/wallet --again --out bob/again.ballot
give record box/record
expect 2 box accept box/record --key box/key --receipts late carol/carol.ballot
for r in 0 1; do
  give record registrar-$r/record
  expect 2 registrar issue registrar-$r/record --key registrar-$r/key --roll registrar-$r/roll.csv --out late registrar-$r/in/bob.request
  expect 0 registrar audit registrar-$r/record --key registrar-$r/key --roll registrar-$r/roll.csv
  says "4 credentials issued"
  grep -v ^dave, registrar-$r/roll.csv >registrar-$r/short.csv
  expect 1 registrar audit registrar-$r/record --key registrar-$r/key --roll registrar-$r/short.csv
done

expect 2 trustee decrypt record --key trustee-1/key --out trustee-1/early # no tally yet
expect 0 --json election tally record --key authority/key
is_json
python3 -c 'import json; assert len(json.load(open("stdout"))["tallies"]) == 3' || fail "not 3 tallies"
# A trustee audits before it decrypts.
cp -r record forged
bundle=$(find forged/box -path '*entries*' -type f -size +0 | head -1)
size=$(stat -c %s "$bundle")
printf 'x' | dd of="$bundle" bs=1 seek=$((size - 1)) conv=notrunc status=none
expect 1 trustee decrypt forged --key trustee-1/key --out trustee-1/forged
[ ! -e trustee-1/forged ] || fail "a forged record was decrypted"
expect 2 election result record --key authority/key
for i in 1 3; do # the second trustee is away
  rm -rf trustee-$i/record
  cp -r record trustee-$i/record
  expect 0 --json trustee decrypt trustee-$i/record --key trustee-$i/key --out trustee-$i/decryption
  is_json
done
expect 0 election add record --key authority/key trustee-1/decryption
expect 0 election status record
says "awaited: trustee 3 (Tia): trustee decrypt"
expect 2 election result record --key authority/key
expect 0 election add record --key authority/key trustee-3/decryption
expect 0 election result record --key authority/key
expect 0 --json election result record --key authority/key # once more changes nothing
is_json
cat >expected.csv <<'CSV'
contest,unit,styles,ballots,option,name,votes
mayor,0,north+south,4,1,Ada,0
mayor,0,north+south,4,2,Ben,2
mayor,0,north+south,4,3,Cem,1
council,0,north,2,1,Dee,1
council,0,north,2,2,Eva,1
council,0,north,2,3,Fay,1
budget,0,north+south,4,1,Library,4
budget,0,north+south,4,2,Park,3
CSV
cmp expected.csv record/result.csv || fail "other totals than were voted"

# --- Verifying ---------------------------------------------------------------------------------------
expect 0 verify record --receipt receipts/*.receipt bob/found.receipt
says "ACCEPTED"
expect 0 --json verify record
is_json
expect 1 --json verify box/early
is_json
expect 1 verify record --receipt voters.csv
complains voters.csv
[ ! -s stdout ] || fail "a report without a verification"
sed 's/^index .*/index 5/' receipts/carol.receipt >wrong.receipt
expect 1 verify record --receipt receipts/carol.receipt wrong.receipt
says "wrong.receipt: "
expect 1 verify trustee-1 # holds no record
says "Id:       (unknown)"
expect 1 --json verify trustee-1
says '"election": null'
expect 3 verify nowhere
complains "nowhere: does not exist"
expect 3 export nowhere
complains "nowhere: does not exist"
expect 0 election status record
says "phase: complete"
expect 0 export record --format csv
cmp stdout expected.csv || fail "the export differs"
expect 1 verify forged
# A receipt is good only for a record whose own log is sound.
cp -r record unsigned
for checkpoint in unsigned/box/*/checkpoint; do
  python3 -c 'import sys; p = sys.argv[1]; t = open(p).read(); i = len(t) - 20
open(p, "w").write(t[:i] + ("A" if t[i] != "A" else "B") + t[i + 1:])' "$checkpoint"
done
expect 0 receipt check receipts/carol.receipt record
expect 1 receipt check receipts/carol.receipt unsigned

for log in main box/0 box/1 roll/0 roll/1; do
  expect 0 log show record $log
  expect 0 --json log show record $log
  python3 -m json.tool stdout >/dev/null || fail "log show $log: not JSON"
done
expect 0 log show record main
says "0  roster by authority"
says "result by authority of tally 0: 0 2 1"
expect 0 log show record main --from 1 --to 1
[ "$(wc -l <stdout)" = 2 ] || fail "more than one entry shown"
expect 2 log show record box/9
expect 2 log show record roll/0 --from 4
complains "has 4 entries"
expect 2 log show record roll/0 --from 2 --to 1
expect 0 log show record main --raw 3 --out entry
expect 2 log show record main --raw 99 --out entry-99
expect 0 log prove record main 3 --out proof
expect 0 --json election status record
vkey=$(python3 -c 'import json, sys; print(json.load(open("stdout"))["logs"][sys.argv[1]]["vkey"])' main)
expect 0 log check proof --entry entry --vkey "$vkey"
says "good: "
expect 0 --json log check proof --entry entry --vkey "$vkey"
is_json
expect 1 log check proof --entry expected.csv --vkey "$vkey"
expect 0 --json election status record
other=$(python3 -c 'import json, sys; print(json.load(open("stdout"))["logs"][sys.argv[1]]["vkey"])' box/0)
expect 1 log check proof --entry entry --vkey "$other"

# --- All roles at once ---------------------------------------------------------------------------------
printf '%s\n' style,mayor,council,budget 'north,1,2|3,1:4' south,3,, 'south,,,1:1|2:3' >ballots.csv
for wrong in 'south,1,2,#contest "council"' 'south,1|2,,#contest "mayor": 2 chosen, at most 1' 'west,1,,#"west"' \
  'north,,,1:4|2:4#contest "budget": 8 points in all, at most 6'; do
  cp ballots.csv wrong.csv
  echo "${wrong%#*}" >>wrong.csv
  expect 1 run manifest.json wrong.csv whole
  complains "wrong.csv line 5"
  complains "${wrong#*#}"
  [ ! -e whole ] || fail "a record of wrong ballots"
done
printf 'style,mayor,council,budget\n%s' "$(yes north,1,, | head -11)" >many.csv
expect 1 run manifest.json many.csv whole
complains "more ballots than the manifest's voters, 10"
expect 2 run witnessed.json ballots.csv whole
complains "witnesses.quorum is 1"
expect 2 run --limit 0 manifest.json ballots.csv whole
expect 2 run manifest.json ballots.csv record
complains "exists already"
mkdir whole
expect 0 --json run --limit 3 manifest.json ballots.csv whole/
is_json
says '"audit": '
expect 0 verify whole
[ -z "$(find . -maxdepth 1 -name '.*.new')" ] || fail "a record in the making is left behind"

# Ballots drawn at random: several styles, contests and registrars, blank votes, points.
expect 0 --json run manifest.json --synthetic 10 drawn
is_json
says '"ballots": 10'
says '"recount_equal": true'
expect 0 verify drawn
says "10 ballots"
expect 0 --threads 1 run --synthetic 1 manifest.json alone
expect 0 verify alone --check individually
for wrong in 0 -1 x 1.5 ''; do
  expect 2 run manifest.json --synthetic "$wrong" wrong
done
expect 2 run manifest.json --synthetic 11 wrong
complains "--synthetic 11: the manifest has only 10 voters"
expect 2 run manifest.json ballots.csv --synthetic 3 wrong
complains "leave out BALLOTS"
expect 2 run manifest.json --synthetic 3
complains "RECORD is required"
expect 2 run manifest.json wrong
complains "RECORD is required"
expect 2 run manifest.json --synthetic 3 --limit 2 wrong
expect 2 run manifest.json --synthetic 3 record
complains "exists already"
[ ! -e wrong ] || fail "a record of a refused run"

# Two processes do not change one record at the same time.
exec 9<record
flock -x 9
expect 2 election result record --key authority/key
complains "another psephos process"
exec 9<&-

# A closed pipe is no crash.
{ "$psephos" log show record main 2>stderr || echo $? >code; } | head -c 1 >/dev/null
[ ! -e code ] || [ "$(cat code)" -le 3 ] || fail "log show | head: exit code $(cat code)"

echo "roles_test.sh: all steps as expected"
