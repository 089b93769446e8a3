#!/usr/bin/env bash
# A whole election from real ballots: run, verify, flip one byte, verify again.
# Usage: examples/demo-election.sh PSEPHOS   (the built tool; ./demo.sh calls this)
set -euo pipefail
psephos=$(realpath "${1:?usage: demo-election.sh PSEPHOS}")
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/psephos-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*"; }

say "Running the election: $(($(wc -l < examples/ballina2015/ballots.csv) - 1)) real ballots (Ballina 2015, see examples/ballina2015/SOURCE.md)"
"$psephos" run examples/ballina2015/manifest.json examples/ballina2015/ballots.csv "$work/record"

say "Verifying the record, as anyone can"
"$psephos" verify "$work/record"

say "Flipping one bit of one ballot in a copy of the record, and verifying that"
cp -r "$work/record" "$work/tampered"
bundle="$work/tampered/box/0/tile/entries/001"
offset=101163  # in f_1 of a ballot proof: a number changes, its form stays good
byte=$(od -An -tu1 -j "$offset" -N 1 "$bundle" | tr -d ' ')
# shellcheck disable=SC2059
printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$bundle" bs=1 seek="$offset" conv=notrunc status=none
echo "(byte $offset of box/0/tile/entries/001: $byte -> $((byte ^ 1)))"
status=0
"$psephos" verify "$work/tampered" || status=$?
if [ "$status" -ne 1 ]; then
  echo "demo: the tampered record should have been rejected with exit code 1, not $status" >&2
  exit 1
fi

say "Done: the honest record was accepted, the tampered one rejected."
