#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Iterations, gradients and time to |g| <= 1e-6, and the curves there, of the learned rule and of the hand-made ones.
. "$(dirname "$0")/../figure.sh"

families='LS LS-cond10 LS-cond100 LS-cond1000 LOG LSE'
fresh=100
if [ "$size" = small ]; then
  families='LS-cond100 LOG LSE'
  fresh=20
fi

# by_hand FAMILY SETTING: "LABEL=RULE:OPTIONS ...", each with the best options for that start of those that ../baselines tries
by_hand() {
  case $1-$2 in
  *-I) start=rescale=off,h0=identity ;;
  LS-ours) start=rescale=on,h0=identity ;;
  *) start=rescale=on,h0=scaled ;;
  esac
  hd=bfgs-hd:$start
  case $1-$2 in
  *-I) search=line_search=armijo ;;
  LOG-ours) search=line_search=armijo,c1=0.1,first_step=4 ;;
  LSE-ours) search=line_search=armijo,c1=0.1,first_step=16 ;;
  LS-cond10-ours) search=line_search=armijo,c1=0.3 ;;
  LS-cond*-ours) search=line_search=armijo,c1=0.3,first_step=4 ;;
  *) search=line_search=armijo ;;
  esac
  case $1-$2 in
  LS-I | LS-ours) scalar=step=1,beta=0.2 diagonal=step=1,beta=0.05 ;;
  LS-cond10-I) scalar=step=1.5,normalised=false,beta=1e-4 diagonal=step=1,beta=1 ;;
  LS-cond10-ours) scalar=step=1,beta=0.2 diagonal=step=1,beta=2 ;;
  LS-cond100-I) scalar=step=1.5,normalised=false,beta=1e-3 diagonal=step=1.5,normalised=false,beta=1e4 ;;
  LS-cond100-ours) scalar=step=1,normalised=false,beta=1e-2 diagonal=step=1,beta=2 ;;
  LS-cond1000-I) scalar=step=1.5,normalised=false,beta=1e-3 diagonal=step=1.5,normalised=false,beta=100 ;;
  LS-cond1000-ours) scalar=step=1,normalised=false,beta=1e-2 diagonal=step=1,beta=1 ;;
  LOG-I) scalar=step=1.5,normalised=false,beta=1e-4 diagonal=step=1.5,normalised=false,beta=1e-3 ;;
  LOG-ours) scalar=step=1.5,beta=0.5 diagonal=step=1,beta=0.01 ;;
  LSE-I) scalar=step=1.5,normalised=false,beta=0.1 diagonal=step=1.5,beta=0.01 ;;
  LSE-ours) scalar=step=1,beta=0.02 diagonal=step=1,normalised=false,beta=10 ;;
  esac
  echo "unit-$2=bfgs:$start,line_search=unit armijo-$2=bfgs:$start,$search"
  echo "hg-scalar-$2=$hd,hypergradient=scalar,$scalar hg-diagonal-$2=$hd,hypergradient=diagonal,$diagonal"
}

echo 'family,instances,solver,missed,median,max,values,gradients,milliseconds,fallbacks' >"$out/all.csv"
for family in $families; do
  solvers="$(best_of "$family")"
  for setting in I ours; do
    solvers="$solvers $(by_hand "$family" $setting)"
    for seed in $seeds; do
      model "$family" $setting "$seed"
      solvers="$solvers learned-$setting-$seed=$(learned "$family" $setting "$seed")"
    done
  done
  for instances in reference fresh; do
    evaluate "$instances-$family" "$family" $instances "$solvers"
    sed "1d; s/^/$family,$instances,/" "$out/$instances-$family.csv" >>"$out/all.csv"
  done
done

# mean_of NAME LABEL COLUMN: over the seeds
mean_of() {
  awk -F, -v like="$2-" -v column="$3" 'index($1, like) == 1 { n++; sum += $column } END { printf "%.4g\n", sum / n }' "$out/$1.csv"
}

# The numbers of the bands, and the tables of the README. Times faster: the baseline over the mean of the seeds.
for family in $families; do
  for instances in reference fresh; do
    run=$instances-$family
    for setting in I ours; do
      for seed in $seeds; do
        measure "$family $setting: learned on $instances instances; seed $seed" "$(column "$run" learned-$setting-"$seed" 3)"
      done
      measure "$family $setting: missed on $instances instances" \
        "$(awk -F, -v like="learned-$setting" 'index($1, like) == 1 { n += $2 } END { print n + 0 }' "$out/$run.csv")"
    done
    measure "$family: paper's baseline on $instances instances" "$(column "$run" unit-I 3)"
    measure "$family: best by hand on $instances instances" "$(column "$run" best 3)"
    measure "$family I: paper's baseline over learned on $instances instances" "$(ratio "$(column "$run" unit-I 3)" "$(mean_of "$run" learned-I 3)")"
    measure "$family ours: paper's baseline over learned on $instances instances" "$(ratio "$(column "$run" unit-I 3)" "$(mean_of "$run" learned-ours 3)")"
    measure "$family ours: best by hand over learned on $instances instances" "$(ratio "$(column "$run" best 3)" "$(mean_of "$run" learned-ours 3)")"
    measure "$family ours: gradients of best by hand over learned on $instances instances" "$(ratio "$(column "$run" best 6)" "$(mean_of "$run" learned-ours 6)")"
  done
done
awk -F, '
  FNR == 1 { next }
  { key = $1 " " $2; if (!(key in seen)) { seen[key]; order[++n] = key } median[key, $3] = $5; most[key, $3] = $6; gradients[key, $3] = $8; ms[key, $3] = $9 }
  function cell(key, solver) { return median[key, solver] "/" most[key, solver] }
  function three(key, setting,  s, text) { for (s = 1; s <= 3; s++) if ((key, "learned-" setting "-" s) in median) text = text " " cell(key, "learned-" setting "-" s); return text }
  function row(name, key, setting) {
    return name " | " cell(key, "unit-" setting) " | " cell(key, "armijo-" setting) " | " cell(key, "hg-scalar-" setting) " | " cell(key, "hg-diagonal-" setting) " | " \
      three(key, setting) " | " cell(key, "best")
  }
  END {
    print "| family, start | unit | Armijo | HG scalar | HG diagonal | learned, seeds 1 2 3 | best by hand |\n|---|---|---|---|---|---|---|"
    for (i = 1; i <= n; i++) { print "| " row(order[i] ", I", order[i], "I") " |"; print "| " row(order[i] ", ours", order[i], "ours") " |" }
    print "\n| family | gradients: learned | Armijo, ours | best by hand | milliseconds: learned | Armijo, ours | best by hand | unit, I |\n|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= n; i++) {
      k = order[i]; l = "learned-ours-1"
      printf "| %s | %.1f | %.1f | %.1f | %.3f | %.3f | %.3f | %.3f |\n", k, gradients[k, l], gradients[k, "armijo-ours"], gradients[k, "best"], ms[k, l], ms[k, "armijo-ours"], ms[k, "best"], ms[k, "unit-I"]
    }
  }' "$out/all.csv" >"$out/tables.md"
cat "$out/tables.md"
for family in $families; do
  draw "$here/plot.gp" "$family" "family = '$family'"
done
check
