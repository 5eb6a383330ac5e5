#!/usr/bin/env bash
# Renders the pages that `search --html` writes in a headless Chromium, narrow
# and wide, light and dark, and checks them (check.py). Screenshots to look at:
# .local/html/shots. Not part of `make test`, as CI has no Chromium.
set -euo pipefail
export LC_ALL=C.UTF-8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
port=${MILVUS_TEST_PORT:-19630}
out=.local/html
collection=html_test

lite() { ENGINE=lite MILVUS_PORT=$port deploy/milvus.sh "$@"; }
stop() { YES=1 lite reset >/dev/null 2>&1 || true; }

python3 -c 'import sys; sys.path.insert(0, "tests/html"); import browser; browser.find()'
deploy/onnxruntime.sh >/dev/null
trap stop EXIT
stop
lite up
export MILVUS_URI=http://127.0.0.1:$port
cargo build --locked --bin ingest --bin search

# The gallery, and names that would break a page or a line.
rm -rf "$out"
mkdir -p "$out/pages" "$out/odd"
cp tests/gallery/objects/red-cap.webp "$out/odd/<script>alert('1')<script> & \"quoted\".webp"
cp tests/gallery/objects/blue-cap.webp "$out/odd/红色手提包，配金色链条.webp"
cp tests/gallery/objects/green-cap.webp "$out/odd/حقيبة يد حمراء أنيقة.webp"
cp tests/gallery/objects/pink-cap.webp "$out/odd/$(printf 'a\u202egpj.exe').webp"
cp tests/gallery/objects/black-cap.webp "$out/odd/Averylongnamewithoutanyspace$(printf 'x%.0s' {1..150}).webp"
cp tests/gallery/objects/orange-cap.webp "$out/odd/100% gone?#.webp"
target/debug/ingest --quiet --collection $collection --model lit-b0 --names tests/gallery/names.csv tests/gallery "$out/odd"
rm "$out/odd/100% gone?#.webp"

ask() { # page, arguments...
  target/debug/search --quiet --collection $collection --html "$out/pages/$1.html" "${@:2}" >/dev/null
}
ask words --text 'red handbag'
ask both --text 'in red' --image tests/gallery/photos/coffee.jpg --limit 24
ask odd --image tests/gallery/objects/red-cap.webp --limit 12 --filter 'display_name like "%"'
ask photographs --text 'a flower' --limit 11 --filter 'attributes["licence"] != "MIT"'
ask nothing --text 'a cat' --filter 'bytes < 0'
ask many --text 'a dress' --limit 138
ls -l "$out/pages"

python3 tests/html/check.py "$out/shots" "$out"/pages/*.html
