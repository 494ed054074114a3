#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Learns step sizes on patches of ascent.pgm and restores the blurred face.pgm with them: run.sh [--small] [BUILD [OUT]]
# BUILD is the build directory (default build/release, else build), OUT takes the results (default out/deblur).
# --small: part of the photograph and less training, in seconds; OUT is then out/deblur-small. Exit 1: outside the expected band.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$root/experiments/data
small=no
if [ "${1-}" = --small ]; then
  small=yes
  shift
fi
build=${1-$root/build/release}
[ $# -gt 0 ] || [ -d "$build" ] || build=$root/build
out=${2-$root/out/deblur}
[ $# -gt 1 ] || [ "$small" = no ] || out=$out-small
if [ ! -x "$build/experiments/deblur/l2o-deblur" ] || [ ! -x "$build/src/cli/l2o-eval" ]; then
  echo "run.sh: $build holds no build of libl2o and its commands: run.sh [--small] [BUILD [OUT]]" >&2
  exit 2
fi
build=$(cd "$build" && pwd)
train=$build/src/cli/l2o-train eval=$build/src/cli/l2o-eval deblur=$build/experiments/deblur/l2o-deblur
mkdir -p "$out"
cd "$out"

# The photograph to restore, and the part of it that pictures.png shows.
photograph=$data/face.pgm
if [ "$small" = no ]; then
  instances=5504 steps=600
  shown='540 245 96 96'
else
  instances=300 steps=150
  "$deblur" crop "$photograph" original.pgm 480 240 240 180
  photograph=original.pgm
  shown='60 5 96 96'
fi

echo "== the problems"
"$deblur" patches "$data/ascent.pgm" train.safetensors --count 1849 --seed 1
"$deblur" patches "$photograph" test.safetensors --seed 2
"$deblur" blur "$photograph" blurred.pgm --seed 2

solvers='gd nesterov'
if "$eval" --list-solvers | grep -q '^  gsl-bfgs2 '; then # not in builds without GSL
  solvers="$solvers gsl-bfgs2"
fi
set --
for rule in math-l2o-gd math-l2o-nesterov; do
  echo "== training $rule"
  "$train" "$here/config.yaml" --set model.kind="$rule" --steps "$steps" --out "$rule"
  solvers="$solvers $rule:model=$rule/model.safetensors"
done

echo "== restoring"
for solver in $solvers; do
  set -- "$@" --solver "$solver"
done
plot=
if command -v gnuplot >/dev/null; then
  plot=--plot
fi
"$eval" "$here/config.yaml" "$@" --instances "$instances" --set output.title="Restoring face.pgm: $instances patches never seen" \
  --out . ${plot:+"$plot"}

# The dump of a solver is large (all patches, all iterations): one at a time.
printf 'blurred - - - %s\n' "$("$deblur" psnr blurred.pgm "$photograph")" >results.txt
for solver in $solvers; do
  label=${solver%%:*}
  "$eval" "$here/config.yaml" --solver "$solver" --instances "$instances" --quiet --dump-iterates iterates.safetensors
  "$deblur" restore test.safetensors iterates.safetensors "$label" "$label.pgm" >>results.txt
done
rm iterates.safetensors

echo
awk 'BEGIN { printf "%-18s %-10s  %-9s  %-9s  %s\n", "solver", "iterations", "objective", "above f*", "PSNR" }
  $1 == "blurred" { printf "%-18s %-10s  %-9s  %-9s  %.2f dB\n", $1, "", "", "", $5; next }
  { printf "%-18s %-10d  %-9.5f  %-9s  %.2f dB\n", $1, $2, $3, sprintf("%.1f %%", 100 * $4), $5 }' results.txt

if [ -n "$plot" ]; then
  show() { # FILE SHOWN_AS
    # shellcheck disable=SC2086 # four numbers
    "$deblur" crop "$1" "shown-$2.pgm" $shown
  }
  show "$photograph" original
  for label in blurred gd math-l2o-gd math-l2o-nesterov; do
    show "$label.pgm" "$label"
    "$deblur" difference "shown-$label.pgm" shown-original.pgm 8 "error-$label.pgm"
  done
  gnuplot "$here/pictures.gp"
  rm shown-*.pgm error-*.pgm
  echo "figures: $out/convergence.png $out/pictures.png"
else
  echo 'run.sh: no figures without gnuplot: apt-get install gnuplot-nox' >&2
fi

# The expected band; README.md gives the reasons.
awk '
  { gap[$1] = $4; psnr[$1] = $5 }
  function compare(learned, classical, low, high, gain,  ratio, more) {
    ratio = gap[learned] / gap[classical]
    more = psnr[learned] - psnr[classical]
    printf "%s against %s: %.2f of its gap (expected %.2f to %.2f), %+.2f dB (expected at least %+.2f)\n", learned, classical,
      ratio, low, high, more, gain
    return ratio >= low && ratio <= high && more >= gain
  }
  END {
    good = compare("math-l2o-gd", "gd", 0.55, 0.75, 0.3)
    good = compare("math-l2o-nesterov", "nesterov", 0.50, 0.95, 0) && good
    if (!good)
      print "outside the expected band"
    exit !good
  }' results.txt
