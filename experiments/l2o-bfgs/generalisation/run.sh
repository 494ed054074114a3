#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The trained rules where they were not trained, alone and with either guard: iterations to |g| <= 1e-6 of every instance beside those of bfgs.
. "$(dirname "$0")/../figure.sh"

fresh=100
sets='LOG-twice LOG-few LOG-many LSE-twice LSE-few LSE-many LS-twice LS-few LS-times10 LS-cond10-times10 LS-cond100-times10 spambase ionosphere'
if [ "$size" = small ]; then
  fresh=10
  sets='LOG-twice LSE-few ionosphere'
fi

# model_of SET: family of the model
model_of() {
  case $1 in
  LS-cond*) echo "${1%-*}" ;;
  LOG-* | LSE-* | LS-*) echo "${1%%-*}" ;;
  *) echo LOG ;;
  esac
}

# shift_of SET: what differs from training
shift_of() {
  case $1 in
  LOG-twice) echo eval.problem.n=100 eval.problem.m=1000 ;;
  LOG-few) echo eval.problem.m=150 ;;
  LOG-many) echo eval.problem.m=2000 ;;
  LSE-twice) echo eval.problem.n=100 eval.problem.m=400 ;;
  LSE-few) echo eval.problem.m=75 ;;
  LSE-many) echo eval.problem.m=800 ;;
  LS-twice) echo eval.problem.n=100 eval.problem.m=200 ;;
  LS-few) echo eval.problem.m=60 ;;
  LS-times10) echo eval.problem.condition=10 ;;
  LS-cond10-times10) echo eval.problem.condition=100 ;;
  LS-cond100-times10) echo eval.problem.condition=1000 ;;
  *) echo "eval.problem.data=$root/experiments/data/$1.libsvm" eval.problem.scale=standard eval.problem.l2=1e-3 ;;
  esac
}

# search_of FAMILY: the line search that was tuned by hand, for the guards and for bfgs
search_of() {
  case $1 in
  LOG) echo line_search=armijo,c1=0.1,first_step=4 ;;
  LSE) echo line_search=armijo,c1=0.1,first_step=16 ;;
  LS) echo line_search=armijo,c1=1e-2 ;;
  *) echo line_search=armijo,c1=0.3,first_step=4 ;;
  esac
}

echo 'set,rule,instances,within 10 %,never later,missed,median,median of bfgs,max,max of bfgs,gradients,gradients of bfgs,fallbacks' >"$out/sets.csv"
for set in $sets; do
  family=$(model_of "$set")
  count=$fresh
  case $set in
  spambase | ionosphere) count=1 ;;
  esac
  # bfgs with its default options, and with those that were tuned and start as the learned rule does
  start=h0=scaled
  [ "$family" != LS ] || start=h0=identity
  solvers="default=bfgs:line_search=wolfe tuned=bfgs:$start,$(search_of "$family")"
  for seed in $seeds; do
    model "$family" ours "$seed"
    rule=$(learned "$family" ours "$seed")
    for guard in off descent shadow; do
      solvers="$solvers $guard-default-$seed=$rule,guard=$guard $guard-tuned-$seed=$rule,guard=$guard,$(search_of "$family")"
    done
  done
  options=''
  for word in $(shift_of "$set"); do
    options="$options --set $word"
  done
  # shellcheck disable=SC2086 # lists of words
  evaluate "$set" "$family" fresh "$solvers" --set output.trace=all --set eval.iterations=600 $options --instances "$count"
  # of every rule its iterations on every instance, beside those of bfgs with the same line search
  awk -F, -v OFS=, -v set="$set" '
    NR == FNR { if (FNR > 1) { missed[$1] = $2; gradients[$1] = $6; fallbacks[$1] = $8 } next }
    $2 !~ /^[0-9]+$/ { next }
    !($1 in seen) { seen[$1]; order[++n] = $1 }
    $2 + 0 > most { most = $2 + 0 }
    !(($1, $2) in count) || (count[$1, $2] == 1e9 && $6 <= 1e-6) { count[$1, $2] = $6 != "" && $6 <= 1e-6 ? $3 : 1e9 }
    function sorted(rule, array,  i, j, t, m) {
      m = 0
      for (i = 0; i <= most; i++) if ((rule, i) in count) {
        t = count[rule, i]
        for (j = ++m; j > 1 && array[j - 1] > t; j--) array[j] = array[j - 1]
        array[j] = t
      }
      return m
    }
    function median(array, m) { return (array[int((m + 1) / 2)] + array[int((m + 2) / 2)]) / 2 }
    function shown(value) { return value >= 1e9 ? "inf" : value }
    END {
      for (k = 1; k <= n; k++) {
        rule = order[k]
        if (split(rule, part, "-") < 3) continue
        base = part[2]
        near = never = total = 0
        for (i = 0; i <= most; i++) if ((rule, i) in count) {
          total++
          near += count[rule, i] <= 1.1 * count[base, i]
          never += count[rule, i] <= count[base, i]
        }
        sorted(rule, a)
        sorted(base, b)
        print set, rule, total, near / total, never / total, missed[rule], shown(median(a, total)), shown(median(b, total)), shown(a[total]), shown(b[total]),
          gradients[rule], gradients[base], fallbacks[rule]
      }
    }' "$out/$set.csv" "$out/$set/trace.csv" >>"$out/sets.csv"
  rm "$out/$set/trace.csv"
done

# over BASE GUARD COLUMN: mean over all rows of that rule (5: within 10 %), and how many runs missed
over() {
  awk -F, -v rule="$2-$1-" 'index($2, rule) == 1 { n += $3; near += $4 * $3; never += $5 * $3; missed += $6 } END { print near / n, never / n, missed }' "$out/sets.csv"
}
for base in default tuned; do
  for guard in off descent shadow; do
    # shellcheck disable=SC2046 # three words
    set -- $(over $base $guard)
    measure "guard $guard beside $base bfgs: within 10 %" "$1"
    measure "guard $guard beside $base bfgs: never later" "$2"
    measure "guard $guard beside $base bfgs: missed" "$3"
  done
done
awk -F, 'NR > 1' "$out/sets.csv" | awk -F, '
  { split($2, part, "-"); key = $1 "," part[2]; if (!(key in seen)) { seen[key]; order[++n] = key; base[key] = $8 "/" $10 }
    rule = part[1]; if (!((key, rule) in lowest) || $4 < lowest[key, rule]) lowest[key, rule] = $4
    text[key, rule] = text[key, rule] (text[key, rule] == "" ? "" : " ") $7 "/" $9; missed[key, rule] += $6; fall[key, rule] += $13 }
  function cell(key, rule) { return text[key, rule] " | " 100 * lowest[key, rule] " %" (missed[key, rule] ? ", " missed[key, rule] " missed" : "") (rule == "off" ? "" : " | " fall[key, rule] + 0) }
  END {
    print "| set, bfgs | bfgs | alone, seeds 1 2 3 | within 10 % | descent | within 10 % | fallbacks | shadow | within 10 % | fallbacks |\n|---|---|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= n; i++) { k = order[i]; print "| " k " | " base[k] " | " cell(k, "off") " | " cell(k, "descent") " | " cell(k, "shadow") " |" }
  }' >"$out/tables.md"
cat "$out/tables.md"
check
