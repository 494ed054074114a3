# SPDX-License-Identifier: BSD-3-Clause
# Read by the tests beside it, each run as: TEST.sh BIN_DIR INSPECT. They work in an empty folder of their own.
set -eu
PATH=$1:$PATH
inspect=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/l2o-cli.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  echo "--- its output:" >&2
  cat out err >&2
  exit 1
}

# expect CODE TEXT COMMAND...: the command ends with CODE, and TEXT (a fixed string, perhaps "") stands in its output or its messages.
expect() {
  code=$1 text=$2
  shift 2
  got=0
  "$@" >out 2>err || got=$?
  [ "$got" -eq "$code" ] || fail "$*: exit code $got, expected $code"
  [ -z "$text" ] || grep -qF -e "$text" out err || fail "$*: does not say: $text"
  # A mistake is told in a sentence, not in pages: usage hints take a second line.
  [ "$code" -ne 2 ] || [ "$(wc -l <err)" -le 2 ] || fail "$*: more than a sentence"
}

same() {
  cmp "$1" "$2" || fail "$1 and $2 differ"
}

# wait_for COMMAND...: until it succeeds, ten seconds at most.
wait_for() {
  for _ in $(seq 100); do
    "$@" && return
    sleep 0.1
  done
  fail "waited in vain for: $*"
}

# Nothing that was begun and not finished lies about in the folder.
tidy() {
  left=$(find "$1" -name '*.tmp-*' -o -name '*.part*' -o -name '.convergence*' -o -name '.sweep*')
  [ -z "$left" ] || fail "left behind: $left"
}

# CSV without its last column, the seconds.
no_seconds() {
  sed 's/,[^,]*$//' "$1"
}

# tensor_file FILE JSON DATA: a safetensors file from its header and from its data, octal escapes for printf.
tensor_file() {
  length=$(printf %s "$2" | wc -c)
  {
    printf "\\$(printf %03o $((length % 256)))\\$(printf %03o $((length / 256)))\\0\\0\\0\\0\\0\\0"
    printf %s "$2"
    printf "$3"
  } >"$1"
}
ONE='\0\0\0\0\0\0\360\077'
ZERO='\0\0\0\0\0\0\0\0'
NOT_A_NUMBER='\0\0\0\0\0\0\370\177'

cat >qp.yaml <<'END'
problem: {family: qp, n: 8, m: 6, instances: 4, seed: 7}
model: {kind: math-l2o-gd, hidden: 16}
train: {steps: 20, horizon: 10, checkpoint_every: 7, precision: double, validation: {instances: 3, every: 5}}
eval: {iterations: 15, seed: 99, instances: 5, solvers: [gd, nesterov, math-l2o-gd]}
END
cat >log.yaml <<'END'
problem: {family: logistic, n: 6, m: 30, instances: 4, seed: 7}
model: {kind: bfgs-lstm, hidden: 4}
train: {steps: 16, horizon: 6, unroll: 1, instances: fresh, loss: decrease, checkpoint_every: 5, validation: {instances: 3, every: 8}}
END
cat >lista.yaml <<'END'
problem: {family: lasso, n: 24, m: 12, sparsity: 3, l1: 0.1, matrix: shared, start: zero, instances: 16, seed: 7}
model: {kind: lista-cp, m: 12, n: 24, layers: 8}
train: {steps: 300, horizon: 8, loss: last, instances: fresh, optimizer: {lr: 5e-3}, checkpoint_every: 70, threads: 1, validation: {instances: 5, every: 100}}
eval: {iterations: 8, seed: 99, instances: 50, solvers: [ista, lista-cp]}
END
