# SPDX-License-Identifier: BSD-3-Clause
set xlabel 'updates of the weights + 1'
set ylabel 'F(x_{100}), sum over the 10 training instances'
set title 'Figure 4a: training at 512x400, learning rate 1e-7'
set logscale x
set xrange [1:6000]
set yrange [0.4:1]
set key center right
plot 0.94649 with lines linestyle 9 title 'gradient descent, step 0.9999/L', \
     out.'/run/train.csv' using 1:2 every ::1 with lines linestyle 1 title 'this library', \
     here.'/published.csv' using ($1 + 1):2 every ::1 with points pointtype 6 pointsize 1.4 linewidth 1.5 linecolor rgb 'black' title 'published curve'
