# SPDX-License-Identifier: BSD-3-Clause
# Performance profile from profile.dat: gnuplot -e "folder='...'" profile.gp
set key outside right noenhanced
set logscale x 2
set xrange [1:64]
set yrange [0:1.02]
set xlabel "evaluations, as a ratio to the fewest of all"
set ylabel "share of the problems solved to 1e-6 within that ratio"
set grid
set linetype 5 linecolor rgb "#c8a000"
set linetype 9 linecolor rgb "#808080"
data = folder."/profile.dat"
count = system("grep -c '\"' ".data) + 0
do for [format in "png svg"] {
  if (format eq "png") { set terminal pngcairo size 1000,600 } else { set terminal svg size 1000,600 }
  set output folder."/profile.".format
  plot for [i = 0:count - 1] data index i using 1:2 with steps linetype i + 1 linewidth i < 2 ? 3 : 1.5 title columnheader(1)
}
