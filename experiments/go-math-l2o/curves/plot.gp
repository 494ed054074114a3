# Median gap over unseen instances, against the iteration (left) and against the median time (right), of the rules that were run. Expects: family.
if (format eq 'png') { set terminal pngcairo size 1480,560 font 'sans,12' } else { set terminal svg size 1480,560 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,2 title family.', median over unseen instances'
set logscale xy
set format y '10^{%T}'
set yrange [1e-9:200]
set ylabel '(F - F*) / F*'
trace = sprintf('%s/%s/trace.csv', out, family)
curve(solver, x) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"q0.5\" && $3 > 0 { print %s \",\" ($5 > 1e-12 ? $5 : 1e-12) }' '%s'", solver, x, trace)
array solver[9] = ['ista', 'fista', 'best', 'adam', 'adam-hd', 'dm-1', 'rnnprop-1', 'pa-1', 'go-1']
array name[9] = ['ISTA', 'FISTA', 'FISTA with restarts', 'Adam, tuned', 'Adam-HD, tuned', 'L2O-DM', 'RNNprop', 'L2O-PA', 'GO-Math-L2O']
array style[9] = [9, 5, 2, 3, 4, 5, 4, 3, 1]
array dash[9] = [2, 1, 1, 3, 3, 4, 1, 1, 1]
shown = ''
do for [i = 1:9] { if (system(sprintf("grep -c '^%s,' '%s' || true", solver[i], trace)) + 0 > 0) { shown = shown.' '.i } }
do for [axis in '$3 1000*$10'] {
  set xlabel (axis eq '$3' ? 'iteration' : 'milliseconds')
  if (axis eq '$3') { set xrange [1:1000]; unset key } else { set xrange [*:*]; set key outside right center }
  plot for [i in shown] curve(solver[i + 0], axis) using 1:2 with lines linestyle style[i + 0] dashtype dash[i + 0] linewidth (i + 0 == 9 ? 3 : 2) title name[i + 0]
}
unset multiplot
