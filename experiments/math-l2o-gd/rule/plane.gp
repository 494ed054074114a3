# SPDX-License-Identifier: BSD-3-Clause
set xlabel 'direction of (gradient, x): 0 is gradient > 0, x = 0; 90 is gradient = 0, x > 0 (degrees)'
set ylabel 'step factor p'
set title 'Step factor of the trained rule against the direction of its inputs'
set xrange [0:360]
set xtics 45
set yrange [0:2.3]
set key bottom right
plot out.'/plane.csv' using 1:2 every ::1 with lines linestyle 1 title 'length of (gradient, x) 1', \
     out.'/plane.csv' using 1:3 every ::1 with lines linestyle 2 dashtype 4 title 'length 0.01', \
     out.'/plane.csv' using 1:4 every ::1 with lines linestyle 3 dashtype 3 title 'length 0.0001'
