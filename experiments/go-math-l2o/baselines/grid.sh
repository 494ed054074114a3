# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# published FAMILY and grid FAMILY: rules with their settings as lines "METHOD RULE:OPTIONS". Sourced by run.sh, which sets `size`:
# small takes a few of each.

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

# The rows of the paper's implementation. Its batch of 8 has one step size for Adam-HD, moved by the sum of 8 inner products: ours is an
# instance's own, moved by 8 times its inner product. Its step for logistic regression is 0.9999 / 4L, L with the 1/4 of the loss.
published() {
  scale=0.9999
  [ "$1" = lasso ] || scale=0.249975
  say ista ista:step_scale=$scale
  say fista fista:step_scale=$scale
  say adam adam:step=1e-2,beta1=0.1,beta2=0.1
  say adam-hd adam-hd:step=0.1,beta1=0.001,beta2=0.1,kappa=8e-7
  say adam-hd-own adam-hd:step=0.1,beta1=0.001,beta2=0.1,kappa=1e-7
  say subgradient gd:step_scale=$scale
  if [ "$1" = logistic ]; then
    say shampoo shampoo:step_scale=$scale
    say ista-right ista:step_scale=0.9999
    say fista-right fista:step_scale=0.9999
  fi
}

grid() {
  proximal='0.5 0.9999 1.5 1.9'
  restart='none gradient'
  adam='1e-3 3e-3 1e-2 3e-2 0.1 0.3'
  hd='1e-2 0.1 0.3'
  kappa='1e-7 1e-6 1e-5 1e-4 1e-3'
  subgradient='0.01 0.03 0.1 0.3 0.9999 1.5 1.9'
  shampoo='1e-2 3e-2 0.1 0.3 1 3 10'
  if [ "$size" = small ]; then
    proximal='0.9999 1.9'
    restart=gradient
    adam='1e-2 0.1'
    hd=0.1
    kappa='1e-6 1e-5'
    subgradient='0.1 0.9999'
    shampoo='0.1 1'
  fi
  rows=0 # one column: eigenvectors of n x n in every step, too slow for 500 unknowns
  [ "$1" = lasso ] && rows=20
  say ista "$(each ista:step=0 step_scale "$proximal")"
  say fista "$(each fista:step_scale=0.9999 restart "$restart")"
  say adam "$(each 'adam:beta1=0.9,beta2=0.999 adam:beta1=0.9,beta2=0.99 adam:beta1=0.1,beta2=0.1' step "$adam")"
  say adam-hd "$(each "$(each 'adam-hd:beta1=0.9,beta2=0.999 adam-hd:beta1=0.001,beta2=0.1' step "$hd")" kappa "$kappa")"
  say subgradient "$(each gd:step=0 step_scale "$subgradient")"
  say shampoo "$(each shampoo:rows=$rows step "$shampoo")"
}
