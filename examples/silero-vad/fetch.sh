#!/bin/sh
# Gets the ONNX file out of the PyPI package. The package is unpacked, never run.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$folder" silero-vad==6.2.3
mkdir -p model
python3 - "$folder"/silero_vad-6.2.3-py3-none-any.whl model/silero_vad_16k_sequence.onnx <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, open(sys.argv[2] + ".part", "wb") as out:
    out.write(wheel.read("silero_vad/data/silero_vad_16k_sequence.onnx"))
PY
echo "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85  model/silero_vad_16k_sequence.onnx.part" | sha256sum --check --quiet
mv model/silero_vad_16k_sequence.onnx.part model/silero_vad_16k_sequence.onnx
