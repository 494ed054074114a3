# SPDX-License-Identifier: BSD-3-Clause
# Expects: labels. A curve ends before the first T at which training broke down.
set xlabel 'iterations T, in training and in use'
set ylabel 'F(x_T), sum over the 10 training instances'
set title 'Figure 2a: Math-L2O-P and -PA trained for T iterations, 512x400'
set logscale y
set xrange [0:103]
set yrange [0.3:200]
plot out.'/gd.csv' using 1:2 every ::1 with lines linestyle 9 title 'gradient descent, step 0.9999/L', \
     for [i = 1:words(labels)] out.'/'.word(labels, i).'.csv' using 1:2 every ::1 with linespoints linetype i linewidth 2 pointtype 7 title word(labels, i), \
     here.'/published.csv' using (strstrt(' '.labels.' ', ' '.strcol(1).' ') ? $2 : 1/0):3 every ::1 with points pointtype 6 pointsize 1.6 linewidth 1.5 \
       linecolor rgb 'black' title 'published curves'
