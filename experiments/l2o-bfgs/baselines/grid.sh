# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# grid: every hand-made method with every setting that it is tuned over, as lines "METHOD RULE:OPTIONS". Sourced by run.sh, which
# sets `size`: small takes a few of each.

# each 'LINE ...' KEY 'VALUE ...': every line with ",KEY=VALUE" for every value
each() {
  for line in $1; do
    for value in $3; do
      printf '%s,%s=%s ' "$line" "$2" "$value"
    done
  done
}

# say METHOD 'LINE ...'
say() {
  for line in $2; do
    echo "$1 $line"
  done
}

grid() {
  steps='0.5 0.7 0.8 0.9 1 1.1 1.2 1.3 1.5'
  c1='1e-4 1e-2 0.1 0.3'
  loose='0.9 0.5'
  tight='0.1 0.01 0.001'
  raw='1e-4 1e-3 1e-2 0.1 1 10 100 1e3 1e4'
  first='1 1.5'
  normalised='0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10'
  memory='5 20 50'
  gd='0.5 0.9999 1.5 1.9 1.99'
  adam='1e-3 3e-3 1e-2 2e-2 3e-2 5e-2 0.1 0.2 0.3 0.5 1 2 5'
  starts='identity scaled lipschitz hessian'
  if [ "$size" = small ]; then
    steps='0.8 1'
    c1=1e-4
    loose=0.9
    tight=0.01
    raw=0.01
    first=1
    normalised=0.05
    memory=20
    gd=1.9
    adam=0.1
    starts='identity scaled hessian'
  fi
  searches=$(each 'bfgs:rescale=off bfgs:rescale=on' h0 "$starts")
  # where the first step is searched along -gradient with a first trial of its own: that of the other starts, and larger ones
  searches="$searches $(each 'bfgs:rescale=off,h0=scaled bfgs:rescale=on,h0=scaled' first_step '1 4 16')"
  hypergradient=$(each "$(each 'bfgs-hd:rescale=off bfgs-hd:rescale=on' h0 "$starts")" step "$first")
  plain=$(each "$(each 'bfgs:rescale=off bfgs:rescale=on' h0 "$starts")" line_search unit)
  say paper bfgs:rescale=off,h0=identity,line_search=halving # with backtracking from I, what the paper compares with
  say unit "$plain"
  say fixed "$(each "$plain" step "$steps")"
  say halving "$(each "$(each "$searches" line_search halving)" c1 "$c1")"
  say armijo "$(each "$(each "$searches" line_search armijo)" c1 "$c1")"
  say weak-wolfe "$(each "$(each "$searches" line_search weak-wolfe)" c2 "$loose")"
  say weak-wolfe-tight "$(each "$(each "$searches" line_search weak-wolfe)" c2 "$tight")"
  say wolfe "$(each "$(each "$searches" line_search wolfe)" c2 "$loose")"
  say wolfe-tight "$(each "$(each "$searches" line_search wolfe)" c2 "$tight")"
  say exact "$(each "$searches" line_search exact)"
  for kind in scalar diagonal; do
    lines=$(each "$hypergradient" hypergradient $kind)
    say hd-$kind-raw "$(each "$(each "$lines" normalised false)" beta "$raw")"
    say hd-$kind-normalised "$(each "$lines" beta "$normalised")"
  done
  lbfgs=$(each 'lbfgs:first_step=0 lbfgs:first_step=1 lbfgs:first_step=4 lbfgs:first_step=16' memory "$memory")
  say lbfgs "$(each "$(each "$lbfgs" line_search 'wolfe weak-wolfe')" c2 "$loose $tight") $(each "$lbfgs" line_search 'unit armijo halving')"
  say lbfgs-exact "$(each "$lbfgs" line_search exact)"
  say gd "$(each gd:step=0 step_scale "$gd") gd:step_rule=armijo gd:step_rule=barzilai-borwein gd:step_rule=barzilai-borwein,bb=short gd:step_rule=barzilai-borwein,bb=long"
  say nesterov "$(each nesterov:step=0 restart 'none gradient function')"
  say adam "$(each adam:epsilon=1e-8 step "$adam")"
  say newton 'newton:line_search=wolfe newton:line_search=armijo,first_step=1'
}
