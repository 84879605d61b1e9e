#!/usr/bin/env bash
# What only a GPU can show, in at most eight minutes on one H100 or H200: bash benchmarks/gpu.sh
# Needs torch, transformers, deepspeed and accelerate, and no download: the models are random. Where vLLM and Ray are
# installed too, generation and the demo run as well. Without a GPU (tests): bash benchmarks/gpu.sh --shapes tiny
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec "${PYTHON:-python}" -m benchmarks.gpu all "$@"
