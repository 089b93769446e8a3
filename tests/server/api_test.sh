#!/usr/bin/env bash
# A server of a small election, driven from its OpenAPI document; then its log is searched for what it must not hold.
#
# usage: api_test.sh PSEPHOS_FAST_KEYS PSEPHOSD
set -euo pipefail

psephos=$(realpath "$1")
psephosd=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
. "$here/election.sh"
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export PSEPHOS_PASSWORD="correct horse"

cat >manifest.json <<'JSON'
{
  "psephos": "manifest/v1", "title": "Routes", "origin": "example.org/routes",
  "opens": "2031-05-01T06:00:00Z", "closes": "2031-05-04T18:00:00Z",
  "contests": [{"id": "mayor", "title": "Mayor", "type": "choose", "options": ["Ada", "Ben"], "min": 0, "max": 1}],
  "styles": [{"id": "all", "contests": ["mayor"]}],
  "trustees": {"names": ["Tim"], "threshold": 1},
  "registrars": {"names": ["Office"], "rsa_bits": 2048},
  "box": {"shards": 1, "revote": "first", "challenges": 1},
  "tally": {"minimum": 1, "by": "election"},
  "voters": 10
}
JSON
make_election e manifest.json >/dev/null 2>&1
write_config e
"$psephosd" --config e/psephosd.toml check-config >/dev/null
start_server e
id=$(election_id "$url")
python3 "$here/openapi_test.py" "$url" "$admin" "$(cat e/token)" "$id"
stop_server
"$psephosd" --config e/psephosd.toml fsck >fsck
grep -q "box/0: 0 entries, as signed" fsck
grep -q "roll/0: 0 entries, as signed" fsck
