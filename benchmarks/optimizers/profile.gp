# SPDX-License-Identifier: BSD-3-Clause
# Performance profile from profile.dat: gnuplot -e "folder='...'" profile.gp
set key outside right noenhanced
set logscale x 2
set xrange [1:64]
set yrange [0:1.02]
set xlabel "evaluations, as a ratio to the fewest of all"
set ylabel "share of the problems solved to 1e-6 within that ratio"
set grid
# Okabe and Ito's colours: ours, then the peers
colours = "#0072B2 #D55E00 #56B4E9 #999999 #E69F00 #009E73 #CC79A7 #000000 #B8B000"
dash(i) = i > 1 && i % 2 == 0 ? 2 : 1
data = folder."/profile.dat"
count = system("grep -c '\"' ".data) + 0
do for [format in "png svg"] {
  if (format eq "png") { set terminal pngcairo size 1000,600 } else { set terminal svg size 1000,600 }
  set output folder."/profile.".format
  plot for [i = 0:count - 1] data index i using 1:2 with steps linecolor rgb word(colours, i % 9 + 1) dashtype dash(i) \
    linewidth (i < 2 ? 3.5 : 1.7) title columnheader(1)
}
