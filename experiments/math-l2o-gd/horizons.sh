# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Rules trained for T iterations, where not every training survives: figures 2a and 2b. Sourced by their run.sh after figure.sh.

updates=400
lengths=train.horizon # the keys that are T

# survivor NAME [options]: trains NAME and prints the objective after the updates; status 1 where that is not a finite number, or training gave up because of such
survivor() {
  train "$@" --steps $((updates + 1)) >/dev/null 2>"$out/$1.log" || [ $? = 1 ] || {
    cat "$out/$1.log" >&2
    exit 2
  }
  rm -f "$out/$1/model.safetensors" "$out/$1/checkpoint.safetensors" # of figure 2b up to a gigabyte
  loss "$1" $updates | grep -v '[an]'
}

# horizons LABEL 'T ...' [options]: OUT/LABEL.csv, a rule for each T, until one does not survive
horizons() {
  label=$1
  list=$2
  shift 2
  last=0
  echo "train $label, T = $list"
  echo 'horizon,objective' >"$out/$label.csv"
  for T in $list; do
    objective=$(
      for key in $lengths; do
        set -- "$@" --set "$key=$T"
      done
      survivor "$label-T$T" "$@"
    ) || {
      [ $? = 1 ] || exit 2
      break
    }
    last=$T
    echo "$T,$objective" >>"$out/$label.csv"
    measure "F(x_$T) of $label" "$objective"
  done
  measure "last T of $label" "$last"
}

# descent: OUT/gd.csv, gradient descent on the training instances
descent() {
  l2o-eval "$here/config.yaml" --out "$out/gd" --quiet --iterations 100 --instances train --solver gd
  echo 'horizon,objective' >"$out/gd.csv"
  for T in 5 10 15 20 25 30 35 40 45 50 55 60 65 70 75 80 85 90 95 100; do
    echo "$T,$(objective gd gd $T 10)" >>"$out/gd.csv"
  done
}
