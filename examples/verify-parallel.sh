#!/usr/bin/env bash
# Verifies one record on several machines with GNU parallel over ssh.
#
# Usage: examples/verify-parallel.sh RECORD PARTS [SSHLOGIN...]
#   PARTS     into how many parts the work is cut: some times the number of machines
#   SSHLOGIN  machines, as `ssh` names them, `:` for this one; default `:`
#   PSEPHOS   (environment) the tool; default psephos
# Every machine has the tool and a copy of the record under the same paths. The exit code is that of
# `psephos verify`: 0 only if the whole record is accepted.
set -euo pipefail
record=$(realpath "${1:?usage: verify-parallel.sh RECORD PARTS [SSHLOGIN...]}")
parts=${2:?how many parts?}
shift 2
psephos=$(realpath "$(command -v "${PSEPHOS:-psephos}")")
logins=$(IFS=,; echo "${*:-:}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One part, on whichever machine: the file comes back on standard output. A part in which there is a
# fault exits with 1, and its file says which: the verdict is not here. A machine that fails
# leaves an empty file, which combining refuses.
# shellcheck disable=SC2016
one_part='
  work=$(mktemp -d)
  trap "rm -rf $work" EXIT
  "$0" verify "$1" --part "$2" --output "$work/part" >&2
  cat "$work/part"'
seq "$parts" |
  parallel --quote --sshlogin "$logins" --jobs 1 --results "$work" \
    sh -c "$one_part" "$psephos" "$record" "{}/$parts" >/dev/null || true
"$psephos" verify "$record" --combine "$work"/1/*/stdout
