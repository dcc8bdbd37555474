# Sourced by every script in this folder. `step` prints a command, runs it and prints its time; the first that fails ends the script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0

step() {
  printf '\n== %s\n' "$*"
  local started=$SECONDS
  "$@"
  printf -- '-- %s s\n' "$((SECONDS - started))"
}

# Installs the tools of a list in .ci/tools and prepends them to PATH.
tools() {
  local commands
  commands=$(.ci/tools/install "$1")
  PATH=$commands:$PATH
}
