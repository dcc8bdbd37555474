# The beginning of every script in this folder: each command is printed before it runs, and the first that fails ends the script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0

step() {
  printf '\n== %s\n' "$*"
  local started=$SECONDS
  "$@"
  printf -- '-- %s s\n' "$((SECONDS - started))"
}

# The tools of a list in .ci/tools, from here on.
tools() {
  local commands
  commands=$(.ci/tools/install "$1")
  PATH=$commands:$PATH
}
