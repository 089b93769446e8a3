#!/usr/bin/env bash
# Builds the psephos tool and runs a whole small election with it.
set -euo pipefail
cd "$(dirname "$0")"

if [ ! -x examples/demo-election.sh ]; then
  echo "demo.sh: examples/demo-election.sh is missing or not executable" >&2
  exit 1
fi
.ci/setup build
cmake --preset release
cmake --build --preset release -j "$(nproc)" --target psephos
exec examples/demo-election.sh "$PWD/build/release/cli/psephos" "$@"
