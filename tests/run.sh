#!/usr/bin/env bash
# Runs test suites with what they need: ONNX Runtime, resnet50, and for the
# suites on servers a Milvus Lite and a Milvus 2.3.5 of their own, with TLS and
# login on the latter, whose data go away afterwards.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
suite=${1:-all}

# Two checkouts test side by side with ports of their own.
lite_port=${MILVUS_TEST_PORT:-19630}
standalone_port=$((lite_port + 1))

lite() { ENGINE=lite MILVUS_PORT=$lite_port deploy/milvus.sh "$@"; }
standalone() {
  ENGINE=standalone MILVUS_PORT=$standalone_port MILVUS_AUTH=1 MILVUS_TLS_DIR=tests/fixtures/tls deploy/milvus.sh "$@"
}

# Tests that kill Milvus have servers of their own.
own_port=$((lite_port + 2))

reset() { # engine, port
  YES=1 ENGINE=$1 MILVUS_PORT=$2 deploy/milvus.sh reset >/dev/null 2>&1 || true
}

stop_servers() {
  reset lite "$lite_port"
  reset standalone "$standalone_port"
  reset lite "$own_port"
  reset standalone $((own_port + 1))
  reset lite $((own_port + 2))
}

start_servers() {
  trap stop_servers EXIT
  stop_servers
  lite up
  standalone up
  export MILVUS_TEST_LITE=http://127.0.0.1:$lite_port
  export MILVUS_TEST_STANDALONE=https://127.0.0.1:$standalone_port
  export MILVUS_TEST_OWN_PORT=$own_port
  export MILVUS_TEST_TOKEN=root:Milvus
  export MILVUS_TEST_CA=$root/tests/fixtures/tls/ca.pem
}

# A Python environment in .local/ with the packages of requirements files.
environment() { # name, requirements...
  local folder=$root/.local/venv-$1 wanted
  shift
  wanted=$(cat "$@" | cksum)
  if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
      echo "error: this needs Python 3.11 or newer as python3" >&2
      exit 1
    }
    python3 -m venv --clear "$folder"
    for file in "$@"; do
      "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$file"
    done
    echo "$wanted" >"$folder/installed"
  fi
  python=$folder/bin/python
}

case $suite in
  unit)
    cargo test --locked --lib --test it --test faults
    ;;
  model)
    deploy/onnxruntime.sh
    models/resnet50/build.sh
    cargo test --locked --features model-tests --test model
    ;;
  milvus)
    deploy/onnxruntime.sh
    models/resnet50/build.sh
    start_servers
    cargo test --locked --features milvus-tests --test milvus -- --test-threads=2
    ;;
  crash)
    deploy/onnxruntime.sh
    start_servers
    cargo test --locked --features milvus-tests --test crash -- --test-threads=2 --nocapture
    ;;
  export)
    models/resnet50/build.sh
    environment export models/export/requirements-{simclr,resnet50,clip}.txt
    "$python" tests/export/test_export.py
    ;;
  hostile)
    environment hostile tests/hostile/requirements.txt
    "$python" tests/hostile/run.py .local/hostile
    ;;
  html)
    # Needs a Chromium, which CI has not: `apt-get install chromium`.
    tests/html/run.sh
    ;;
  proof)
    deploy/onnxruntime.sh
    models/resnet50/build.sh
    environment proof tests/proof/requirements.txt
    "$python" tests/proof/embeddings.py
    "$python" tests/proof/run.py
    ;;
  references)
    models/resnet50/build.sh
    environment references models/export/requirements-reference.txt
    for manifest in models/*/model.toml; do
      name=$(basename "$(dirname "$manifest")")
      "$python" models/export/reference.py "$name"
    done
    for reference in models/*/reference.*.json; do
      variant=$(basename "$reference" .json)
      "$python" models/export/reference.py "$(basename "$(dirname "$reference")"):${variant#reference.}"
    done
    ;;
  evaluation)
    deploy/onnxruntime.sh
    models/resnet50/build.sh
    trap stop_servers EXIT
    stop_servers
    lite up
    cargo build --locked --bin ingest --bin search
    MILVUS_URI=http://127.0.0.1:$lite_port python3 tests/evaluate/run.py ${NEARDUP:+"$NEARDUP"}
    ;;
  deploy)
    deploy/tests.sh
    ;;
  bench)
    deploy/onnxruntime.sh
    start_servers
    cargo bench --locked --features milvus-tests --bench end_to_end
    ;;
  fuzz)
    tests/fuzz/run.sh
    ;;
  all)
    deploy/onnxruntime.sh
    models/resnet50/build.sh
    deploy/tests.sh
    start_servers
    cargo test --locked --all-features -- --test-threads=2
    ;;
  *)
    echo "error: no suite is called $suite: use all, unit, milvus, crash, model, export, hostile, html, references, proof, evaluation, deploy, bench or fuzz" >&2
    exit 2
    ;;
esac
