#!/usr/bin/env bash
# Makes an election of one question, 1 of 5, with Debian's belenios-tool, and times its verification of the ballots,
# then psephos's of a record of the same shape, on the same machine.
#
# usage: belenios.sh PSEPHOS RECORD [BALLOTS]
#   RECORD   a record of `psephos run`, 1 of 5, verified here for comparison
#   BALLOTS  how many to make with belenios-tool; 100 by default
# Needs the package belenios-tool (2.0). BELENIOS_GROUP: its default group by default.
set -euo pipefail

psephos=$(realpath "$1")
record=$(realpath "$2")
ballots=${3:-100}
group=${BELENIOS_GROUP:-BELENIOS-2048}
export BELENIOS_USE_URANDOM=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >template.json <<'JSON'
{"description": "", "name": "1 of 5", "administrator": "a", "credential_authority": "c",
 "questions": [{"answers": ["A", "B", "C", "D", "E"], "min": 1, "max": 1, "question": "Q"}]}
JSON
uuid=$(belenios-tool setup generate-token)
belenios-tool setup generate-credentials --uuid "$uuid" --group "$group" --count "$ballots" >/dev/null
mv ./*.pubcreds public_creds.json
mv ./*.privcreds private_creds.txt
belenios-tool setup generate-trustee-key --group "$group" >/dev/null
cat ./*.pubkey >public_keys.jsons
belenios-tool setup make-trustees
belenios-tool setup make-election --uuid "$uuid" --group "$group" --template template.json
belenios-tool archive init >/dev/null 2>out
mkdir none
cp "$uuid.bel" none/
echo '[[1,0,0,0,0]]' >vote
while read -r _ credential; do
  echo "$credential" >credential
  belenios-tool election generate-ballot --privcred credential --ballot vote >ballot 2>out
  belenios-tool archive add-event --type=Ballot <ballot >/dev/null 2>out
done <private_creds.txt

# seconds COMMAND...: what it takes, in processor time; it must succeed.
seconds() {
  local TIMEFORMAT='%U %S'
  { time "$@" >/dev/null 2>out; } 2>&1 | awk '{print $1 + $2}'
  [ "${PIPESTATUS[0]}" = 0 ] || { cat out >&2; exit 1; }
}
whole=$(seconds belenios-tool election verify)

empty=$(seconds belenios-tool election verify --dir none)
ours=$(seconds "$psephos" verify "$record")
counted=$("$psephos" --json verify "$record" | python3 -c 'import json, sys; print(json.load(sys.stdin)["counted"])')
python3 - "$ballots" "$whole" "$empty" "$ours" "$counted" "$group" <<'PY'
import sys
ballots, whole, empty, ours, counted = (float(x) for x in sys.argv[1:6])
theirs = (whole - empty) / ballots
print(f"belenios-tool ({sys.argv[6]}): {theirs * 1e3:.2f} ms of processor time per ballot ({ballots:.0f} ballots)")
print(f"psephos: {ours / counted * 1e3:.3f} ms of processor time per ballot, everything included ({counted:.0f} ballots)")
print(f"ratio: {theirs / (ours / counted):.0f}")
PY
