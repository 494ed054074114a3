# SPDX-License-Identifier: BSD-3-Clause
set xlabel 'iterations T, in training and in use'
set ylabel 'F(x_T), sum over the 10 training instances'
set title 'Figure 4b: rules trained for T iterations, 512x400'
set logscale y
set xrange [0:103]
set yrange [0.3:200]
plot out.'/gd.csv' using 1:2 every ::1 with lines linestyle 9 title 'gradient descent, step 0.9999/L', \
     for [i = 1:words(rates)] sprintf('%s/lr-%s.csv', out, word(rates, i)) using 1:2 every ::1 \
       with lines linestyle i title 'learning rate '.word(rates, i), \
     here.'/published.csv' using 2:3 every ::1 with points pointtype 6 linecolor rgb 'black' title 'published curves'
