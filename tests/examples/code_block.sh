#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Prints the first fenced block of that language in a Markdown file: code_block.sh FILE LANGUAGE
set -eu
awk -v fence="\`\`\`$2" '
  inside && /^```$/ { done = 1; exit }
  inside { print }
  $0 == fence { inside = 1 }
  END { exit !done }' "$1"
