# SPDX-License-Identifier: BSD-3-Clause
# Training loss, median over the instances, against iterations and against time. Expects: iterations, seeds.
if (format eq 'png') { set terminal pngcairo size 1300,620 font 'sans,12' } else { set terminal svg size 1300,620 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,2
set logscale y
set format y '10^{%T}'
set yrange [1e-8:10]
set ylabel 'training loss, median over the instances'
set key bottom left
rows(name, solver, column) = sprintf("< awk -F, -v s='%s' -v o=0 '$1 == s && $2 == \"q0.5\" { print %s \",\" ($4 > 1e-9 ? $4 : 1e-9) }' '%s/%s/trace.csv'", solver, column, out, name)
do for [panel = 1:2] {
  c = panel == 1 ? '$3' : '1000 * $10'
  if (panel == 1) { set xlabel 'iterations'; set xrange [0:iterations] } else { set xlabel 'milliseconds, one thread'; set logscale x; set xrange [1:10000] }
  plot for [s in seeds] rows('evaluation', 'learned-'.s, c) using 1:2 with lines linestyle 1 title (s eq '1' ? 'learned, three seeds' : ''), \
    for [s in seeds] rows('evaluation', 'guarded-'.s, c) using 1:2 with lines linestyle 1 dashtype 3 title (s eq '1' ? 'learned, guard=descent' : ''), \
    rows('evaluation', 'bfgs-unit', c) using 1:2 with lines linestyle 9 title 'bfgs, unit steps', \
    rows('evaluation', 'bfgs', c) using 1:2 with lines linestyle 2 title 'bfgs, line search', \
    rows('evaluation', 'lbfgs', c) using 1:2 with lines linestyle 3 title 'lbfgs', \
    rows('evaluation', 'adam', c) using 1:2 with lines linestyle 4 title 'adam', \
    rows('evaluation', 'rmsprop', c) using 1:2 with lines linestyle 5 title 'rmsprop', \
    rows('evaluation', 'gd', c) using 1:2 with lines linestyle 9 dashtype 4 title 'gd', \
    rows('minibatch', 'adam-100', c) using 1:2 with lines linestyle 4 dashtype 3 title (panel == 1 ? '' : 'adam, 100 images a step')
}
unset multiplot
