#!/usr/bin/env bash
# The digits MLP on the command line: prune by a recipe, generate for a board, simulate, estimate, compare.
# Usage: examples/digits_cli.sh OUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-digits-cli-example}
mkdir -p "$out"

fpgaprune prune --model fpgaprune.demo:mlp --data fpgaprune.demo:digits --recipe "$here/digits.toml" --out "$out/model"
fpgaprune generate "$out/model" --board pynq-z2 --name digits --out "$out/pynq-z2"
fpgaprune csim "$out/pynq-z2" --samples 200
fpgaprune estimate "$out/pynq-z2"
fpgaprune compare "$out/pynq-z2" --html "$out/report.html"
