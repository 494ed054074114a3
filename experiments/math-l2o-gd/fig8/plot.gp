# SPDX-License-Identifier: BSD-3-Clause
# Expects: with_adam.
set xlabel 'iteration'
set ylabel 'F(x_t), sum over 32 unseen instances'
set title 'Figure 8: unseen instances, 512x400'
set logscale y
set format y '10^{%T}'
if (with_adam) set xrange [0:3000]
set mytics 1
set yrange [1e-12:1e4]
set style fill transparent solid 0.25 noborder
set key bmargin center maxrows 4 font ',11'
set bmargin 9
adam = with_adam ? out.'/adam.csv' : out.'/curves.csv'
curves = out.'/curves.csv'
plot for [i = 1:with_adam] adam using 1:3:4 every ::1 with filledcurves linecolor rgb '#cc79a7' title 'Adam, range over its grid', \
     for [i = 1:with_adam] adam using 1:2 every ::1 with lines linestyle 4 title 'Adam, mean', \
     curves using 1:2 every ::1 with lines linestyle 9 title 'gradient descent, step 0.9999/L', \
     curves using 1:4:5 every ::1 with filledcurves linecolor rgb '#0072b2' title 'trained rule, range over learning rates', \
     curves using 1:3 every ::1 with lines linestyle 1 title 'trained rule, mean', \
     curves using 1:6 every ::1 with lines linestyle 5 title 'gradient descent, step 1.5/L (not in paper)', \
     curves using 1:7 every ::1 with lines linestyle 3 title 'Nesterov (not in paper)', \
     here.'/published.csv' using 2:3 every ::1 with points pointtype 6 pointsize 1.4 linewidth 1.5 linecolor rgb 'black' title 'published curves'
