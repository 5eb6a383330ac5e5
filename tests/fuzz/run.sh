#!/usr/bin/env bash
# Builds the fuzz targets and runs them, one after another or the one named,
# with what the repository holds as seeds; cargo-fuzz goes into .local/. New
# inputs stay in .local/fuzz/, so a later run goes on where this one ended.
#
# TARGET=manifest|names|filter|decode|jpeg FUZZ_SECONDS=60
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=0.13.2
tool=.local/cargo-fuzz-$version
targets=(manifest names filter decode jpeg)
if [[ -n ${TARGET:-} ]]; then
  if [[ " ${targets[*]} " != *" $TARGET "* ]]; then
    echo "error: no fuzz target is called $TARGET: use ${targets[*]}" >&2
    exit 2
  fi
  targets=("$TARGET")
fi

if [[ ! -x $tool/bin/cargo-fuzz ]]; then
  echo "installing cargo-fuzz $version into $tool, once"
  cargo install cargo-fuzz --version "=$version" --locked --quiet --root "$tool"
fi
# No sanitizer, which would need a nightly toolchain: there is no unsafe code here.
triple=$(rustc -vV | sed -n 's/^host: //p')
"$tool/bin/cargo-fuzz" fuzz build --fuzz-dir tests/fuzz --sanitizer none --codegen-units 16 \
  --target-dir target/fuzz

listed() { git -c core.quotePath=off ls-files --cached --others --exclude-standard "$@"; }

# Files that a target begins with, beside those in tests/fuzz/seeds.
seeds() {
  case $1 in
    manifest) listed 'models/*/model.toml' ;;
    names) listed tests/gallery/names.csv ;;
    decode) listed tests/fixtures | grep -iE '\.(png|gif|webp|bmp|tiff?)$' ;;
    jpeg) listed tests/fixtures | grep -iE '\.jpe?g$' ;;
  esac
  listed "tests/fuzz/seeds/$1"
}

most_bytes=32768
failed=0
for target in "${targets[@]}"; do
  folder=.local/fuzz/$target
  mkdir -p "$folder/corpus" "$folder/found"
  # Pictures that are cut off teach nothing, so longer ones are left out.
  seeds "$target" | while IFS= read -r file; do
    (($(wc -c <"$file") > most_bytes)) || printf '%s,' "$file"
  done | sed 's/,$//' >"$folder/seeds"
  # A minute, for it is wall time, and ten seconds pass on a busy machine.
  options=(-max_total_time="${FUZZ_SECONDS:-60}" -max_len="$most_bytes" -timeout=60 -rss_limit_mb=2048)
  options+=(-print_final_stats=1 -artifact_prefix="$folder/found/" -seed_inputs="@$folder/seeds")
  if [[ $target == manifest ]]; then
    # Cross-over alone is slow to put one word in another's place.
    grep -ohE '[A-Za-z_][A-Za-z0-9_-]+' models/*/model.toml src/model/{manifest,towers}.rs |
      sort -u | sed 's/.*/"&"/' >"$folder/words"
    options+=(-dict="$folder/words")
  fi
  echo "fuzzing $target for ${FUZZ_SECONDS:-60} s"
  if "target/fuzz/$triple/release/$target" "${options[@]}" "$folder/corpus" >"$folder/log" 2>&1; then
    grep -a '^caught' "$folder/log" || true
    grep -aE '^#[0-9]+.DONE|^stat::' "$folder/log"
  else
    tail -n 30 "$folder/log"
    echo "error: $target found something: see $folder/log; the input lies in $folder/found/" >&2
    failed=1
  fi
done
exit "$failed"
