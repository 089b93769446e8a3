#!/usr/bin/env bash
# Verifies one record on a Slurm cluster: an array job for the parts, then one job that combines them.
#
# Usage: examples/verify-slurm.sh RECORD PARTS [SBATCH OPTIONS...]
#   PARTS    the size of the array
#   PSEPHOS  (environment) the tool; default psephos
# Tool, record and the present directory lie on a file system that all nodes share. Waits for the
# verdict, prints the report, and exits as `psephos verify` does: 0 only if the record is accepted.
set -euo pipefail
record=$(realpath "${1:?usage: verify-slurm.sh RECORD PARTS [SBATCH OPTIONS...]}")
parts=${2:?how many parts?}
shift 2
psephos=$(realpath "$(command -v "${PSEPHOS:-psephos}")")
work=$(mktemp -d "$PWD/verify.XXXXXX")
trap 'rm -rf "$work"' EXIT

quoted() { printf '%q ' "$@"; }
array=$(sbatch --parsable --array="1-$parts" --job-name=psephos-part --output="$work/%a.log" "$@" \
  --wrap "$(quoted "$psephos" verify "$record")--part \$SLURM_ARRAY_TASK_ID/$parts --output $(printf %q "$work")/\$SLURM_ARRAY_TASK_ID.part")
# afterany: a part in which there is a fault exits with 1, and the report must say which.
status=0
sbatch --wait --dependency="afterany:${array%%;*}" --job-name=psephos-combine \
  --output="$work/report" "$@" \
  --wrap "$(quoted "$psephos" verify "$record")--combine $(printf %q "$work")/*.part" >/dev/null || status=$?
cat "$work/report"
exit "$status"
