# SPDX-License-Identifier: BSD-3-Clause
set xlabel 'iteration'
set ylabel 'mean step factor, shares of coordinates'
set title 'Step factors along 100 iterations, 10 instances, 512x400'
set xrange [0:100]
set yrange [0:2.1]
set key center right
plot out.'/steps.csv' using 1:2 every ::1 with lines linestyle 1 title 'mean step factor', \
     out.'/steps.csv' using 1:4 every ::1 with lines linestyle 2 title 'share with factor 2', \
     out.'/steps.csv' using 1:3 every ::1 with lines linestyle 3 title 'share with factor 1'
