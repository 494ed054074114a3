# SPDX-License-Identifier: BSD-3-Clause
# Expects: rounds, layers.
if (format eq 'png') { set terminal pngcairo size 1480,560 font 'sans,12' } else { set terminal svg size 1480,560 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,2
set logscale y
set format y '10^{%T}'
set mytics 1
set title 'Figure 6a: one matrix A, LISTA-CPSS trained layer by layer'
set xlabel 'round of training'
set ylabel sprintf('F(x_{%d}), sum over the instances', layers)
set xrange [0:rounds]
stats out.'/trained-gd.csv' using 2 every ::1 nooutput
descent = STATS_min
set key top right
plot descent with lines linestyle 9 title 'gradient descent, step 0.9999/L', out.'/rounds.csv' using 1:2 every ::1 with lines linestyle 1 title 'LISTA-CPSS'
set title 'Figure 6b: the trained rule on other instances'
set xlabel 'iteration'
set ylabel 'F(x_t), sum over the instances'
set xrange [0:layers]
set key top left
plot out.'/random-lista.csv' using 1:2 every ::1 with lines linestyle 2 title 'random A', \
     out.'/random-gd.csv' using 1:2 every ::1 with lines linestyle 9 title 'random A: gradient descent', \
     out.'/unseen-lista.csv' using 1:2 every ::1 with lines linestyle 3 title 'the same A, unseen y', \
     out.'/trained-lista.csv' using 1:2 every ::1 with lines linestyle 1 title 'the same A, y of the training'
unset multiplot
