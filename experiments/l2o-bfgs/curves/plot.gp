# SPDX-License-Identifier: BSD-3-Clause
# Median gap over the fresh instances, against the iteration (left) and against the median time (right), from the paper's start (above)
# and ours (below). Expects: family.
if (format eq 'png') { set terminal pngcairo size 1480,900 font 'sans,12' } else { set terminal svg size 1480,900 font 'sans,13' background 'white' }
set output figure
set multiplot layout 2,2 title family.': n = 50, median over unseen instances'
set logscale y
set format y '10^{%T}'
set yrange [1e-14:1]
set ylabel '(f - f*) / (f_0 - f*)'
set key outside right center
trace = sprintf('%s/fresh-%s/trace.csv', out, family)
# up to where the median of |g| is 1e-6
curve(solver, x) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"q0.5\" { print %s \",\" $5; if ($6 <= 1e-6) exit }' '%s'", solver, x, trace)
do for [setting in 'I ours'] {
  do for [axis in '$3 1000*$10'] {
    set xlabel (axis eq '$3' ? 'iteration' : 'milliseconds')
    if (axis eq '$3') { unset key } else { set key }
    set title (setting eq 'I' ? 'H_0 = I' : 'tuned start')
    plot curve('unit-'.setting, axis) using 1:2 with lines linestyle 9 title 'unit steps', \
         curve('armijo-'.setting, axis) using 1:2 with lines linestyle 5 title 'Armijo', \
         curve('hg-scalar-'.setting, axis) using 1:2 with lines linestyle 3 title 'hypergradient, scalar', \
         curve('hg-diagonal-'.setting, axis) using 1:2 with lines linestyle 4 title 'hypergradient, diagonal', \
         curve('best', axis) using 1:2 with lines linestyle 2 title 'best by hand', \
         curve('learned-'.setting.'-1', axis) using 1:2 with lines linestyle 1 linewidth 3 title 'learned'
  }
}
unset multiplot
