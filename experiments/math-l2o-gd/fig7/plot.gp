# SPDX-License-Identifier: BSD-3-Clause
# Expects: descent, layers, last.
set xlabel 'updates of the weights'
set ylabel sprintf('F(x_{%d}), sum over the training instances', layers)
set title 'Figure 7: a matrix for each instance'
set logscale xy
set format y '10^{%T}'
set xrange [1:last]
set key center right
plot descent with lines linestyle 9 title 'gradient descent, step 0.9999/L', \
     out.'/updates.csv' using 1:2 every ::1 with lines linestyle 1 title 'math-l2o-gd', \
     out.'/rounds.csv' using 1:2 every ::1 with linespoints linestyle 2 pointsize 0.5 title 'LISTA-CPSS, layer by layer, after every round'
