#!/usr/bin/env bash
# A verification in parts, on a record of several bundles: the report of `verify` in one piece, for
# the honest record and for tampered ones. Usage: parts_test.sh PSEPHOS
set -euo pipefail
psephos=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# expect <exit code> <text in the output> <command...>
expect() {
  local code=$1 text=$2 got=0
  shift 2
  "$@" >out 2>&1 || got=$?
  [ "$got" -eq "$code" ] || fail "exit $got, not $code: $* ($(cat out))"
  grep -qF -- "$text" out || fail "no \"$text\" from: $* ($(cat out))"
}
# same_report <record> <number of parts> <exit code>
same_report() {
  local record=$1 parts=$2 code=$3 got=0 part
  rm -f ./*.part
  for part in $(seq "$parts"); do
    "$psephos" verify "$record" --part "$part/$parts" --output "$part.part" >/dev/null ||
      [ $? -eq 1 ] || fail "part $part of $record"
  done
  "$psephos" --json verify "$record" >whole.json || got=$?
  [ "$got" -eq "$code" ] || fail "verify $record: exit $got"
  got=0
  "$psephos" --json verify "$record" --combine ./*.part >combined.json || got=$?
  [ "$got" -eq "$code" ] || fail "combining the parts of $record: exit $got"
  cmp whole.json combined.json || fail "the reports of $record differ"
}

# Three bundles, and voters who vote again would be in other tests: ballots here are all counted.
sed 's/"voters": [0-9]*/"voters": 700/; s/"rsa_bits": [0-9]*/"rsa_bits": 2048/' \
  "$here/../../examples/ballina2015/manifest.json" >manifest.json
"$psephos" run --limit 700 manifest.json "$here/../../examples/ballina2015/ballots.csv" record \
  >/dev/null

for parts in 1 2 5; do
  same_report record "$parts" 0
done

# Each kind of damage, in the middle of the box log.
bundle=$(find record/box -path '*tile/entries/*' -type f | sort | tail -1)
tampered() {
  rm -rf tampered
  cp -r record tampered
}
tampered
printf '\x01' | dd of="tampered/${bundle#record/}" bs=1 seek=1500 conv=notrunc status=none
same_report tampered 3 1
tampered
truncate -s -1 "tampered/${bundle#record/}"
same_report tampered 3 1
tampered
rm "tampered/$(find record/roll -path '*tile/entries/*' -type f | sort | head -1 | sed 's,record/,,')"
same_report tampered 3 1
tampered
rm tampered/main/checkpoint
same_report tampered 2 1

# The example with GNU parallel, on this machine alone.
if command -v parallel >/dev/null; then
  export PSEPHOS=$psephos
  expect 0 "ACCEPTED" "$here/../../examples/verify-parallel.sh" record 3
  tampered
  rm "tampered/${bundle#record/}"
  expect 1 "REJECTED" "$here/../../examples/verify-parallel.sh" tampered 3
else
  echo "skipped: examples/verify-parallel.sh (GNU parallel is not installed)"
fi

# What is refused.
same_report record 3 0
expect 1 "part 3 of 3 is missing" \
  "$psephos" verify record --combine 1.part 2.part
expect 1 "3.part: part 3 is here twice" \
  "$psephos" verify record --combine 1.part 3.part 3.part
expect 1 "manifest.json: is no part of a verification" \
  "$psephos" verify record --combine manifest.json
expect 3 "missing.part" "$psephos" verify record --combine missing.part
expect 2 "exists" "$psephos" verify record --part 1/3 --output 1.part
for share in 0/3 4/3 1/0 1 1/ /3 1/3x -1/3 1/99999999; do
  expect 2 "must be I/N" "$psephos" verify record "--part=$share" --output new.part
done
[ ! -e new.part ] || fail "a file was written for a share that is none"
expect 2 "--output" "$psephos" verify record --part 1/3
expect 2 "--part" "$psephos" verify record --output new.part
expect 2 "--part excludes --combine" \
  "$psephos" verify record --part 1/3 --output new.part --combine 1.part
truncate -s -1 2.part
expect 1 "2.part" "$psephos" verify record --combine 1.part 2.part 3.part
echo "parts: passed"
