# shellcheck shell=bash disable=SC2034,SC2154  # shares its variables with milvus.sh
# Milvus Lite: a Python program in a virtual environment of its own. Sourced by milvus.sh.

lite_version=3.2.2
lite_stop_s=20

lite_install() {
  local venv=$home/lite-venv requirements=$here/lite-requirements.txt python pinned
  # Written last, so that an installation cut short, or one of other versions, is made anew.
  pinned=$(grep -v '^#' "$requirements" | sha256sum)
  [[ $(cat "$venv/installed" 2>/dev/null) != "$pinned" ]] || return 0
  python=$(find_python 10) || die_without_python 'Milvus Lite' 10
  ! lite_in_use ||
    die "other versions of Milvus Lite or its libraries are wanted, and a server still runs on the old ones: stop it first (down, with its MILVUS_PORT)"
  say "installing Milvus Lite $lite_version for $("$python" --version) into $venv ..."
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2 ||
    die "$python cannot make a virtual environment: on Debian and Ubuntu install the package python3-venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
    --requirement "$requirements" >&2 ||
    die "installing Milvus Lite failed: pip's own message is above"
  echo "$pinned" >"$venv/installed"
}

# Whether a server runs in $home, on any port.
lite_in_use() {
  local file
  for file in "$home"/run/lite-*.pid; do
    [[ $(arguments_of "$file") != *" milvus_lite server --data-dir $home/data-lite"* ]] || return 0
  done
  return 1
}

lite_configure() { :; }

lite_mark() { printf '%s' " milvus_lite server --data-dir $home/data-lite$suffix "; }

lite_command() {
  # --host: its own default is every interface, and it knows no logins.
  program=("$home/lite-venv/bin/python" -I -u -m milvus_lite server
    --data-dir "$data" --host 127.0.0.1 --port "$port" --max-workers 10)
  environment=()
}

lite_ready() { probe; }
