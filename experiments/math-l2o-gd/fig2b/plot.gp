# SPDX-License-Identifier: BSD-3-Clause
# Expects: rates. A curve ends before the first T at which training broke down.
set xlabel 'layers T'
set ylabel 'F(x_T), sum over the 10 training instances'
set title 'Figure 2b: LISTA-CPSS without thresholds, T layers, 512x400'
set logscale y
set xrange [0:103]
set yrange [0.3:200]
plot out.'/gd.csv' using 1:2 every ::1 with lines linestyle 9 title 'gradient descent, step 0.9999/L', \
     for [i = 1:words(rates)] out.'/'.word(rates, i).'.csv' using 1:2 every ::1 with linespoints linestyle i title 'learning rate '.word(rates, i), \
     here.'/published.csv' using 2:3 every ::1 with points pointtype 6 pointsize 1.6 linewidth 1.5 linecolor rgb 'black' title 'published curves'
