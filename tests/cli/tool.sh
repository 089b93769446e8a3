# Sourced by the tests of the tool, whose first argument is the tool: a scratch directory as the working directory,
# and functions to run the tool and to look at what it did.
psephos=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export PSEPHOS_PASSWORD="correct horse"

fail() {
  echo "$(basename "$0"): line ${BASH_LINENO[1]}: $1" >&2
  [ ! -s stderr ] || sed 's/^/  stderr: /' stderr >&2
  [ ! -s stdout ] || sed 's/^/  stdout: /' stdout >&2
  exit 1
}

# expect CODE ARGUMENT...: runs the tool, keeps its output in the files stdout and stderr.
expect() {
  local wanted=$1 code=0
  shift
  "$psephos" "$@" >stdout 2>stderr || code=$?
  [ "$code" = "$wanted" ] || fail "psephos $*: exit code $code, not $wanted"
  # A rejected record's report is the message of `verify`.
  if [ "$wanted" != 0 ] && ! grep -qE '^REJECTED|"accepted": false' stdout; then
    grep -qE "^psephos[ :]" stderr || fail "psephos $*: no message on standard error"
  fi
}
# says TEXT: the last command printed it.
says() { grep -qF -- "$1" stdout || fail "standard output does not say: $1"; }
# is_json: what the last command, run with --json, printed on standard output is JSON.
is_json() { python3 -m json.tool stdout >/dev/null || fail "not JSON"; }
complains() { grep -qF -- "$1" stderr || fail "standard error does not say: $1"; }
# give FROM TO: TO gets a fresh copy of a record's main log, and keeps its own box and roll logs.
give() {
  mkdir -p "$2"
  rm -rf "$2/main"
  cp -r "$1/main" "$1/manifest.json" "$2/"
}
