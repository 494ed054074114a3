#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The evidence for the library's speed as Markdown: each kernel beside the machine's limits, then training and solving beside PyTorch.
# Settings as in limits/run.sh and training/run.sh; README.md tells how to read it.
set -eu
cd "$(dirname "$0")"
echo '## Kernels beside the limits of the machine'
echo
limits/run.sh
echo
echo '## Training and solving beside PyTorch'
echo
training/run.sh
echo
echo '## Sums of rates beside WMMSE'
echo
rates/run.sh
echo
echo '## Zeroth-order steps on networks beside forward passes'
echo
networks/run.sh
