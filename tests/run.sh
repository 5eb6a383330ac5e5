#!/usr/bin/env bash
# Runs test suites with what they need: ONNX Runtime, resnet50, and for the
# suites on servers a Milvus Lite and a Milvus 2.3.5 of their own, with TLS and
# login on the latter, whose data go away afterwards.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
suite=${1:-all}

lite_port=19630
standalone_port=19631

lite() { ENGINE=lite MILVUS_PORT=$lite_port deploy/milvus.sh "$@"; }
standalone() {
  ENGINE=standalone MILVUS_PORT=$standalone_port MILVUS_AUTH=1 MILVUS_TLS_DIR=tests/fixtures/tls deploy/milvus.sh "$@"
}

stop_servers() {
  YES=1 lite reset >/dev/null 2>&1 || true
  YES=1 standalone reset >/dev/null 2>&1 || true
}

start_servers() {
  trap stop_servers EXIT
  stop_servers
  lite up
  standalone up
  export MILVUS_TEST_LITE=http://127.0.0.1:$lite_port
  export MILVUS_TEST_STANDALONE=https://127.0.0.1:$standalone_port
  export MILVUS_TEST_TOKEN=root:Milvus
  export MILVUS_TEST_CA=$root/tests/fixtures/tls/ca.pem
}

case $suite in
  unit)
    cargo test --locked --lib --test it
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
  deploy)
    deploy/tests.sh
    ;;
  bench)
    deploy/onnxruntime.sh
    start_servers
    cargo bench --locked --features milvus-tests --bench end_to_end
    ;;
  all)
    deploy/onnxruntime.sh
    models/resnet50/build.sh
    deploy/tests.sh
    start_servers
    cargo test --locked --all-features -- --test-threads=2
    ;;
  *)
    echo "error: no suite is called $suite: use all, unit, milvus, model, deploy or bench" >&2
    exit 2
    ;;
esac
