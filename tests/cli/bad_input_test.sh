#!/usr/bin/env bash
# Every command with every bad input: the exit code is 1, 2 or 3, never a signal; a message names the file; it is
# over in seconds; nothing is left behind.
#
# usage: bad_input_test.sh PSEPHOS_FAST_KEYS
set -euo pipefail

psephos=$(realpath "$1")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
work=$root/work
mkdir "$work"
cd "$work"
export PSEPHOS_PASSWORD="correct horse"

# --- Good inputs: a whole election, with a copy of its record at every step ---------------------------
mkdir good
cd good
ok() {
  "$psephos" "$@" >stdout 2>stderr || {
    echo "bad_input_test.sh: setting up: psephos $*" >&2
    cat stderr >&2
    exit 1
  }
}
cat >manifest.json <<'JSON'
{
  "psephos": "manifest/v1", "title": "Bad input", "origin": "example.org/bad",
  "opens": "2031-05-01T06:00:00Z", "closes": "2031-05-04T18:00:00Z",
  "contests": [
    {"id": "q", "title": "Question", "type": "choose", "options": ["Yes", "No"], "min": 0, "max": 1}
  ],
  "styles": [{"id": "all", "contests": ["q"]}],
  "trustees": {"names": ["Tim"], "threshold": 1},
  "registrars": {"names": ["Office"], "rsa_bits": 2048},
  "box": {"shards": 1, "revote": "last", "challenges": 1},
  "tally": {"minimum": 1, "by": "election"},
  "voters": 10
}
JSON
sed 's/Bad input/Another election/' manifest.json >other.json
ok authority new --out authority.key
ok trustee new manifest.json --index 1 --out trustee.key --card trustee.card
ok registrar new manifest.json --index 0 --out registrar.key --card registrar.card
ok box new manifest.json --out box.key --card box.card
ok election new manifest.json record --key authority.key --trustee-card trustee.card
cp -r record record.new
for step in commit:committed reveal:revealed share:shared confirm:confirmed; do
  ok trustee "${step%:*}" record --key trustee.key --out "${step%:*}.msg"
  ok election add record --key authority.key "${step%:*}.msg"
  cp -r record "record.${step#*:}"
done
ok election open record --key authority.key --registrar-card registrar.card --box-card box.card
cp -r record record.open
ok registrar start record --key registrar.key
ok box start record --key box.key
printf 'voter,style\nalice,all\nbob,all\n' >voters.csv
ok registrar roll voters.csv --out roll.csv
code=$(awk -F, '$1 == "alice" {print $3}' roll.csv)
ok voter enrol record --wallet wallet --style all --voter alice --code "$code" --out .
mv request-0.request alice.request
cp wallet enrolled.wallet
cp -r record record.started
ok registrar issue record --key registrar.key --roll roll.csv --out . alice.request
ok voter receive record --wallet wallet alice.response
cp wallet ready.wallet
ok voter vote record --wallet wallet --choice q=1
tracking=$(cat stdout)
cp wallet prepared.wallet
ok voter cast record --wallet wallet --out alice.ballot
cp wallet sent.wallet
cp -r record record.voting
ok box accept record --key box.key --receipts . alice.ballot
cp -r record record.voted
cp record/box/0/checkpoint box.checkpoint
ok log show record main --raw 0 --out entry
ok log prove record main 0 --out proof
ok --json election status record
vkey=$(sed -n 's/.*"vkey": "\(example.org\/bad\/main+.*\)".*/\1/p' stdout)
ok election close record --key authority.key
cp -r record record.closed
ok election tally record --key authority.key
cp -r record record.tallied
ok trustee decrypt record --key trustee.key --out decrypt.msg
ok election add record --key authority.key decrypt.msg
cp -r record record.decrypted
ok election result record --key authority.key
mv record record.complete
printf 'q\n1\n2\n' >ballots.csv
printf '%s\n' "$PSEPHOS_PASSWORD" >password
printf '%s\n' "$code" >my.codes
rm wallet stdout stderr
cd ..

# --- Bad inputs --------------------------------------------------------------------------------------
mkdir -p bad/{missing,empty,other,cut,zeros} out
cd good
for file in *; do
  [ -f "$file" ] || continue
  : >"../bad/empty/$file"
  truncate -s 1G "../bad/zeros/$file"
  head -c $(($(stat -c %s "$file") / 2)) "$file" >"../bad/cut/$file"
  case $file in
    *.csv) printf 'voter;style\nalice\n' >"../bad/other/$file" ;;
    manifest.json) cp trustee.card "../bad/other/$file" ;;
    trustee.card) cp registrar.card "../bad/other/$file" ;;
    *.card) cp trustee.card "../bad/other/$file" ;;
    trustee.key) cp authority.key "../bad/other/$file" ;;
    *.key | *.wallet) cp trustee.key "../bad/other/$file" ;;
    password) printf 'correct hors' >"../bad/other/$file" ;;
    *) cp manifest.json "../bad/other/$file" ;;
  esac
done
printf 'voter,style\nalic' >../bad/cut/voters.csv # half a list may be a list: cut within a row
printf 'voter,style,code\nalice,al' >../bad/cut/roll.csv
printf 'q\n1\n"2' >../bad/cut/ballots.csv
printf 'correct' >../bad/cut/password
for record in record.*; do
  mkdir "../bad/empty/$record"
  cp manifest.json "../bad/other/$record" # a file, no directory
  for variant in cut zeros torn swapped unmanifest; do
    mkdir -p "../bad/$variant"
    cp -r "$record" "../bad/$variant/$record"
  done
  size=$(stat -c %s "$record/main/checkpoint")
  truncate -s $((size / 2)) "../bad/cut/$record/main/checkpoint"
  find "../bad/zeros/$record" -path '*/entries/*' -type f -exec truncate -s 0 {} + -exec truncate -s 1G {} +
  find "../bad/torn/$record" -path '*/main/*/entries/*' -type f -exec truncate -s 50 {} +
  cp other.json "../bad/swapped/$record/manifest.json"
  : >"../bad/unmanifest/$record/manifest.json"
done
cd ..
files="missing empty other cut zeros"
records="missing empty other cut zeros torn swapped unmanifest"

# --- Commands ----------------------------------------------------------------------------------------
# {name} is a good input that is replaced by each bad one in turn; {name!v w} leaves out the variants v and w: a
# wallet that is missing is made; `log` shows what stands there, whatever the manifest says besides the log's name;
# a wrong password shows in the file it does not open.
commands=(
  "manifest check {manifest.json}"
  "election new {manifest.json} out/r --key {authority.key} --trustee-card {trustee.card}"
  "election add {record.new} --key {authority.key} {commit.msg}"
  "election add {record.committed} --key {authority.key} {reveal.msg}"
  "election add {record.revealed} --key {authority.key} {share.msg}"
  "election add {record.shared} --key {authority.key} {confirm.msg}"
  "election add {record.tallied} --key {authority.key} {decrypt.msg}"
  "election open {record.confirmed} --key {authority.key} --registrar-card {registrar.card} --box-card {box.card}"
  "election close {record.voted} --key {authority.key}"
  "election close good/record.voted --key good/authority.key --checkpoint {box.checkpoint}"
  "election tally {record.closed} --key {authority.key}"
  "election result {record.decrypted} --key {authority.key}"
  "election status {record.voted}"
  "trustee new {manifest.json} --index 1 --out out/key --card out/card"
  "trustee commit {record.new} --key {trustee.key} --out out/msg"
  "trustee reveal {record.committed} --key {trustee.key} --out out/msg"
  "trustee share {record.revealed} --key {trustee.key} --out out/msg"
  "trustee confirm {record.shared} --key {trustee.key} --out out/msg"
  "trustee decrypt {record.tallied} --key {trustee.key} --out out/msg"
  "registrar new {manifest.json} --index 0 --out out/key --card out/card"
  "registrar start {record.open} --key {registrar.key}"
  "registrar roll {voters.csv} --out out/roll"
  "registrar issue {record.started} --key {registrar.key} --roll {roll.csv} --out out {alice.request}"
  "registrar audit {record.voted} --key {registrar.key} --roll {roll.csv}"
  "box new {manifest.json} --out out/key --card out/card"
  "box start {record.open} --key {box.key}"
  "box accept {record.voting} --key {box.key} --receipts out {alice.ballot}"
  "box receipt {record.voted} --code $tracking --out out/receipt"
  "voter enrol {record.open} --wallet out/wallet --style all --voter v --code c --out out"
  "voter enrol {record.open} --wallet out/wallet --style all --voter v --code-file {my.codes!other!cut} --out out"
  "voter enrol {record.open} --wallet {enrolled.wallet!missing} --style all --voter v --code c --out out"
  "voter receive {record.open} --wallet {enrolled.wallet} {alice.response}"
  "voter vote {record.open} --wallet {ready.wallet} --choice q=1"
  "voter cast {record.open} --wallet {prepared.wallet} --out out/ballot"
  "voter challenge {record.open} --wallet {prepared.wallet} --out out/challenge"
  "voter track {record.voted} --wallet {sent.wallet}"
  "voter track {record.voted} --code $tracking"
  "log show {record.voted!swapped} main"
  "log show {record.voted} box/0"
  "log show {record.voted} roll/0"
  "log show {record.voted!swapped} main --raw 0 --out out/entry"
  "log prove {record.voted!swapped} main 0 --out out/proof"
  "log check {proof} --entry {entry} --vkey $vkey"
  "receipt check {alice.receipt} {record.voted}"
  "verify {record.complete}"
  "verify good/record.complete --receipt {alice.receipt}"
  "verify good/record.complete --checkpoint {box.checkpoint}"
  "export {record.complete}"
  "run {manifest.json} {ballots.csv} out/record"
  "run {manifest.json} --synthetic 2 out/record"
  "authority new --out out/key --password-file {password!other cut}"
  "election tally good/record.closed --key good/authority.key --password-file {password!other cut}"
)

snapshot() { find . -printf '%p %s %T@ %m\n'; }
limit=5 # seconds for one command
problems=0
runs=0
problem() {
  echo "bad_input_test.sh: psephos ${arguments[*]}" >&2
  echo "  $1" >&2
  sed 's/^/  stderr: /' "$root/stderr" >&2
  problems=$((problems + 1))
}
# attempt NAME ARGUMENT...: the run must fail, with a message that holds NAME or a rejected record's report.
attempt() {
  local name=$1 code=0
  shift
  arguments=("$@")
  timeout "$limit" "$psephos" "$@" >"$root/stdout" 2>"$root/stderr" </dev/null || code=$?
  runs=$((runs + 1))
  [ "$code" -ge 1 ] && [ "$code" -le 3 ] || problem "exit code $code (124: more than $limit s)"
  grep -q "^psephos.*$name" "$root/stderr" || grep -q ^REJECTED "$root/stdout" ||
    problem "no message names $name"
  if [ "$(snapshot)" != "$before" ]; then
    problem "left traces: $(diff <(echo "$before") <(snapshot) | head -5)"
    rm -rf out
    mkdir out
    before=$(snapshot)
  fi
}

before=$(snapshot)
for command in "${commands[@]}"; do
  # Words with blanks inside braces are one word.
  mapfile -t words < <(grep -oE '\{[^}]*\}|[^ ]+' <<<"$command")
  for i in "${!words[@]}"; do
    [[ ${words[i]} == "{"* ]] || continue
    target=${words[i]//[\{\}]/}
    name=${target%%!*}
    skipped=" ${target#"$name"} "
    variants=$files
    [[ $name == record.* ]] && variants=$records
    for variant in $variants; do
      [[ ${skipped//!/ } == *" $variant "* ]] && continue
      arguments=()
      for k in "${!words[@]}"; do
        word=${words[k]//[\{\}]/}
        if [ "$k" = "$i" ]; then
          arguments+=("bad/$variant/$name")
        elif [[ ${words[k]} == "{"* ]]; then
          arguments+=("good/${word%%!*}")
        else
          arguments+=("$word")
        fi
      done
      attempt "bad/$variant/$name" "${arguments[@]}"
    done
    # The wrong password.
    if [[ $name == *.key || $name == *.wallet ]]; then
      arguments=()
      for word in "${words[@]}"; do
        if [[ $word == "{"* ]]; then
          word=${word//[\{\}]/}
          word=good/${word%%!*}
        fi
        arguments+=("$word")
      done
      PSEPHOS_PASSWORD=wrong attempt "good/$name" "${arguments[@]}"
    fi
  done
done

# --- Outputs that exist are not written over ---------------------------------------------------------
echo kept >out/there
before=$(snapshot)
for command in \
  "manifest new --out out/there" \
  "authority new --out out/there" \
  "election new good/manifest.json out/there --key good/authority.key --trustee-card good/trustee.card" \
  "trustee new good/manifest.json --index 1 --out out/there --card out/card" \
  "trustee new good/manifest.json --index 1 --out out/key --card out/there" \
  "trustee commit good/record.new --key good/trustee.key --out out/there" \
  "trustee decrypt good/record.tallied --key good/trustee.key --out out/there" \
  "registrar new good/manifest.json --index 0 --out out/key --card out/there" \
  "registrar roll good/voters.csv --out out/there" \
  "registrar issue good/record.started --key good/registrar.key --roll good/roll.csv --out good good/alice.request" \
  "box new good/manifest.json --out out/there --card out/card" \
  "box accept good/record.voting --key good/box.key --receipts good good/alice.ballot" \
  "box receipt good/record.voted --code $tracking --out out/there" \
  "voter cast good/record.open --wallet good/prepared.wallet --out out/there" \
  "voter challenge good/record.open --wallet good/prepared.wallet --out out/there" \
  "log show good/record.voted main --raw 0 --out out/there" \
  "log prove good/record.voted main 0 --out out/there" \
  "export good/record.complete --out out/there"; do
  read -ra arguments <<<"$command"
  attempt "exists already" "${arguments[@]}"
  [ "$(cat out/there)" = kept ] || problem "wrote over a file"
done

attempt "exists already" run good/manifest.json good/ballots.csv good/record.complete
attempt "out/same" trustee new good/manifest.json --index 1 --out out/same --card out/same

# --- Wrong use ---------------------------------------------------------------------------------------
for command in "" "nonsense" "trustee" "trustee commit" "trustee comm good/record.new" \
  "trustee commit good/record.new extra --key k --out o" "election add good/record.new --key k" \
  "log show good/record.voted main --from x" "--threads -1 manifest new" "manifest new --nonsense" "--nonsense" \
  "run good/manifest.json good/ballots.csv out/r --limit 0" "run good/manifest.json --synthetic 0 out/r" \
  "run good/manifest.json good/ballots.csv ."; do
  read -ra arguments <<<"$command"
  attempt "" "${arguments[@]}"
done

echo "bad_input_test.sh: $runs runs, $problems problems"
[ "$problems" = 0 ]
