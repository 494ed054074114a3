#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figures (b) and (c): one model, trained at 10 dB with 3 cells, 2 users and 4x2 antennas, on other SNRs, numbers of users, antennas and cells, and other channels; beside models that
# were trained there.
. "$(dirname "$0")/../figure.sh"

channels=200
sets='snr_db=-5,0,5,10,15,20,25 users=1,2,3,4 tx=2,4,8,16,32 cells=1,2,3,5,7'
own='tx-4 tx-8 tx-16 tx-32 tx-64 snr-0 snr-20 layout'
if [ "$size" = small ]; then
  channels=40
  sets='snr_db=0,10,20 users=1,3 tx=8'
  own='tx-8'
fi
model lo
echo 'key,value,wmmse,fastfp,wmmse-10,lo,ratio' >"$out/sweeps.csv"

# point KEY VALUE [options]: a row of sweeps.csv
point() {
  key=$1
  value=$2
  shift 2
  evaluate "$key=$value" $channels 'wmmse=wmmse' --iterations 100 "$@"
  evaluate "$key=$value-10" $channels "lo=$(learned lo) fastfp=fastfp wmmse=wmmse" --iterations 10 "$@"
  all=$(rate "$key=$value" wmmse)
  lo=$(rate "$key=$value-10" lo)
  share=$(ratio "$lo" "$all")
  echo "$key,$value,$all,$(rate "$key=$value-10" fastfp),$(rate "$key=$value-10" wmmse),$lo,$share" >>"$out/sweeps.csv"
  measure "lo over wmmse-100; $key $value" "$share"
}
for sweep in $sets; do
  key=${sweep%%=*}
  for value in $(echo "${sweep#*=}" | tr , ' '); do
    streams=2
    [ "$key" != tx ] || [ "$value" -ge 2 ] || streams=1
    point "$key" "$value" --set problem."$key"="$value" --set problem.streams=$streams
  done
done
point channel layout --set problem.channel=layout --set problem.tx=8
[ "$size" = small ] || point channel imac --set problem.channel=imac

for name in $own; do
  model "lo-$name"
  problem=$(options_of "lo-$name" | tr ' ' '\n' | sed -n 's/^problem/--set problem/p')
  # shellcheck disable=SC2086 # a list of words
  evaluate "own-$name" $channels "lo=$(learned "lo-$name")" --iterations "$(layers_of "lo-$name")" $problem
  # shellcheck disable=SC2086
  evaluate "own-$name-100" $channels 'wmmse=wmmse' --iterations 100 $problem
  measure "lo-$name trained there; over wmmse-100" "$(ratio "$(rate "own-$name" lo)" "$(rate "own-$name-100" wmmse)")"
done
draw "$here/plot.gp" sweeps "sets = '$(for sweep in $sets; do printf '%s ' "${sweep%%=*}"; done)'"
check
