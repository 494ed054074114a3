#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The README's program prints what the README says that it prints: readme_output.sh PROGRAM README
set -eu
printed=$("$1")
promised=$(sh "$(dirname "$0")/code_block.sh" "$2" text)
if [ "$printed" != "$promised" ]; then
  printf 'the program prints\n%s\nthe README says\n%s\n' "$printed" "$promised" >&2
  exit 1
fi
