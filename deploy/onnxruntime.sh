#!/usr/bin/env bash
# Puts ONNX Runtime's shared library where the programs look for it:
#   .local/onnxruntime/libonnxruntime.so.1.24.4
# Downloads it once, from the project's own wheel on the Python package index (17 MB); afterwards it
# returns at once and needs no network. ONNXRUNTIME_HOME names another folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$here/lib/common.sh"

version=1.24.4
name=libonnxruntime.so.$version
folder=${ONNXRUNTIME_HOME:-$(dirname "$here")/.local/onnxruntime}
library=$folder/$name

# The rename at the end is the only thing that makes the file appear, so a file here is a whole file.
if [[ -s $library ]]; then
  printf '%s\n' "$library"
  exit 0
fi

machine=$(uname -sm)
case $machine in
  'Linux x86_64')
    platform=manylinux_2_28_x86_64
    sha256=e54ad52e61d2d4618dcff8fa1480ac66b24ee2eab73331322db1049f11ccf330
    ;;
  'Linux aarch64')
    platform=manylinux_2_28_aarch64
    sha256=046ff290045a387676941a02a8ae5c3ebec6b4f551ae228711968c4a69d8f6b7
    ;;
  *)
    die "no ONNX Runtime $version is known here for '$machine' (only Linux on x86_64 and aarch64): install ONNX Runtime 1.24 or newer yourself and set ORT_DYLIB_PATH to its library"
    ;;
esac

mkdir -p "$folder"
scratch=$(mktemp -d "$folder/tmp.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

say "downloading ONNX Runtime $version for $machine ..."
wheel=$(fetch_wheel "$scratch" "$platform" "onnxruntime==$version" "$sha256")
"$(find_python 9)" - "$wheel" "onnxruntime/capi/$name" "$scratch/$name" <<'PYTHON'
import shutil, sys, zipfile

wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel).open(member) as source, open(target, "wb") as out:
    shutil.copyfileobj(source, out)
PYTHON
chmod 644 "$scratch/$name"
mv "$scratch/$name" "$library"
printf '%s\n' "$library"
