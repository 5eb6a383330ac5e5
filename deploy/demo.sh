#!/usr/bin/env bash
# `make demo`: from a checkout to answers. Brings ONNX Runtime, starts a Milvus
# (or uses the one that MILVUS_URI names), builds, ingests the gallery, asks.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
collection=demo_gallery
programs=target/release
pictures=tests/gallery

step() { printf '\n== %s\n' "$*"; }

# Shows a command as a person would type it, and runs it.
show() {
  local word line="${1##*/}"
  for word in "${@:2}"; do
    if [[ $word == *' '* ]]; then line+=" \"$word\""; else line+=" $word"; fi
  done
  printf '\n$ %s\n' "$line"
  "$@"
}

step 'ONNX Runtime'
deploy/onnxruntime.sh

step 'Milvus'
if [[ -n ${MILVUS_URI:-} ]]; then
  echo "using the one at MILVUS_URI"
else
  deploy/milvus.sh up
  export MILVUS_URI=http://127.0.0.1:${MILVUS_PORT:-19530}
fi

step 'The programs (the first build takes some minutes)'
cargo build --release --locked

step 'Pictures in'
show "$programs/ingest" --collection "$collection" --model lit-b0 --names "$pictures/names.csv" "$pictures"

step 'Answers out (lit-b0 is a small demo model, not CLIP: 0.25 to 0.45 is a good score)'
for text in 'red handbag' 'a cat' 'blue running shoe'; do
  show "$programs/search" --collection "$collection" --limit 3 --text "$text"
done
show "$programs/search" --collection "$collection" --limit 3 --image "$pictures/objects/green-umbrella.webp"

step 'Try next'
cat <<TEXT
  $programs/search --collection $collection --text "sunglasses" --filter 'attributes["price"] < 50'
  $programs/ingest --collection my_pictures --model lit-b0 ~/Pictures
  $programs/models list
TEXT
[[ -z ${MILVUS_PORT:-} || $MILVUS_PORT == 19530 ]] || echo "(with MILVUS_URI=$MILVUS_URI set)"
