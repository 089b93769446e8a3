#!/usr/bin/env bash
# A trustee who cheats in the key ceremony: the one who got the bad share complains, the complaint convicts the
# cheat, and the ceremony ends there.
#
# usage: complaint_test.sh PSEPHOS_FAST_KEYS PSEPHOS_CHEAT
set -euo pipefail

cheat=$(realpath "$2")
. "$(dirname "$0")/tool.sh"

expect 0 manifest new --out manifest.json
expect 0 authority new --out authority.key
for i in 1 2 3; do
  expect 0 trustee new manifest.json --index $i --out $i.key --card $i.card
done
expect 0 election new manifest.json record --key authority.key --trustee-card {1,2,3}.card
for round in commit reveal share; do
  [ $round != share ] || "$cheat" 2.key
  for i in 1 2 3; do
    expect 0 trustee $round record --key $i.key --out $round-$i
  done
  expect 0 election add record --key authority.key $round-{1,2,3}
done

# Both others notice; a complaint is written, and said to be one.
for i in 1 3; do
  expect 1 trustee confirm record --key $i.key --out confirm-$i
  complains "COMPLAINT"
  complains "trustee 2 (Second Trustee)"
done
expect 0 trustee confirm record --key 2.key --out confirm-2
cp -r record before

# A complaint altered on the way convicts nobody, and nothing of the batch is taken.
cp confirm-1 altered
size=$(stat -c %s altered)
python3 - "$((size - 100))" <<'PY'
import sys
content = bytearray(open("altered", "rb").read())
content[int(sys.argv[1])] ^= 1
open("altered", "wb").write(content)
PY
expect 1 election add record --key authority.key confirm-2 altered
complains altered
diff -r record before || fail "a refused batch changed the record"

expect 1 election add record --key authority.key confirm-2 confirm-1
complains "the key ceremony failed"
complains "trustee 2 (Second Trustee) is at fault"
expect 0 election status record
says "phase: key ceremony failed"
says "at fault: trustee 2 (Second Trustee)"
expect 0 --json election status record
is_json
expect 0 log show record main
says "against trustee 2 (Second Trustee)"

# It ends there: no further message, no opening, no election.
expect 1 election add record --key authority.key confirm-3
complains "the ceremony was ended by a complaint"
expect 2 trustee confirm record --key 3.key --out late
expect 1 verify record
says "V2"
echo "complaint_test.sh: all steps as expected"
