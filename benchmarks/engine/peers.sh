#!/bin/sh
# Makes the benchmark's environment: sh benchmarks/engine/peers.sh FOLDER
set -eu
python3.11 -m venv "$1"
"$1/bin/pip" install --quiet -r "$(dirname "$0")/peers.txt"
"$1/bin/pip" install --quiet --no-deps ultralytics==8.4.190 ultralytics-thop
# ultralytics asks for torchvision, whose wheel does not load beside this torch. All that it uses here is NMS.
site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/torchvision" "$site/torchvision-0.28.0.dist-info"
printf 'Metadata-Version: 2.1\nName: torchvision\nVersion: 0.28.0\n' > "$site/torchvision-0.28.0.dist-info/METADATA"
cp "$(dirname "$0")/torchvision_stub.py" "$site/torchvision/__init__.py"
