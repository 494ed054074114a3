# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What every PAPER/FIGURE/run.sh shares; each begins by sourcing this file, or that of its paper which does.
#   FIGURE/run.sh [full|small] [OUT]
# full is the size of the paper, small a part of it for every day. Results go to OUT, by default out/PAPER/FIGURE of the checkout:
# one folder a run, measured.csv, and the figure. The exit status is 1 if a number is outside of its band.
# L2O_BIN is the folder of l2o-train and l2o-eval; by default the release build, else the search path.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
size=${1:-full}
case $size in
full | small) ;;
*)
  echo "usage: $0 [full|small] [OUT]" >&2
  exit 2
  ;;
esac
paper=$(basename "$(dirname "$here")")
out=${2:-$root/out/$paper/${here##*/}}
: "${L2O_BIN=$root/build/release/src/cli}"
PATH=$L2O_BIN:$PATH
for command in l2o-train l2o-eval; do
  if ! command -v "$command" >/dev/null; then
    echo "$0: no $command; build it (cmake --preset release && cmake --build --preset release) or set L2O_BIN" >&2
    exit 2
  fi
done
export OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
echo 'quantity,value' >"$out/measured.csv"

# ratio A B
ratio() {
  awk -v a="$1" -v b="$2" 'BEGIN { printf "%.6g\n", a / b }'
}

# measure QUANTITY VALUE: a row of measured.csv
measure() {
  printf '%s,%s\n' "$1" "$2" >>"$out/measured.csv"
}

# draw SCRIPT NAME [gnuplot assignments]: OUT/NAME.png and OUT/NAME.svg
draw() {
  script=$1
  name=$2
  shift 2
  if ! command -v gnuplot >/dev/null; then
    echo "no figure $name: gnuplot is not installed (Debian package gnuplot-nox); the numbers are in $out" >&2
    return
  fi
  for format in png svg; do
    gnuplot -e "out = '$out'; here = '$here'; figure = '$out/$name.$format'; format = '$format'; $*" "$root/experiments/style.gp" "$script"
  done
}

# check: holds measured.csv against the bands of bands.csv; the last command of a run
check() {
  awk -F, -v size="$size" -f "$root/experiments/check.awk" "$here/bands.csv" "$out/measured.csv"
}
