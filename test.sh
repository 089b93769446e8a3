#!/usr/bin/env bash
# Builds psephos and runs its tests.
#
#   ./test.sh          all tests except those labelled slow
#   ./test.sh --all    the slow ones too
#   ./test.sh --help   this text
#
# The last line printed is ctest's summary; the exit status is ctest's.
set -euo pipefail
cd "$(dirname "$0")"

selection=(-LE '^slow$')
case "${1:-}" in
  "") ;;
  --all) selection=() ;;
  --help | -h)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *)
    echo "test.sh: unknown option $1 (see ./test.sh --help)" >&2
    exit 2
    ;;
esac

jobs=$(nproc)
.ci/setup build
cmake --preset release
cmake --build --preset release -j "$jobs"

log=build/release/test.log
status=0
ctest --preset release -j "$jobs" --no-tests=error "${selection[@]}" | tee "$log" || status=$?
# ctest lists skipped and failed tests after its summary; the summary comes last here.
grep -E '^[0-9]+% tests passed' "$log" || status=$((status ? status : 1))
exit "$status"
