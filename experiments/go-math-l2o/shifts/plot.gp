# Left: the median of the final gap by shift. Right: median gap along the run, for shifts of 10 and of the largest. Expects: family, shift, values.
if (format eq 'png') { set terminal pngcairo size 1480,560 font 'sans,12' } else { set terminal svg size 1480,560 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,2 title family.', shift of the '.shift.', median over unseen instances'
set logscale y
set format y '10^{%T}'
set yrange [1e-16:1e6]
set ylabel '(F - F*) / F*'
folder = sprintf('%s/%s-%s', out, family, shift)
final(solver) = sprintf("< awk -F, '$2 == \"%s\" { print NR \",\" ($3 > 1e-16 ? $3 : 1e-16) \",\" $1 }' '%s/sweep.csv'", solver, folder)
curve(solver, value) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"q0.5\" && $3 > 0 { print $3 \",\" ($5 > 1e-16 ? $5 : 1e-16) }' '%s/problem.shift.%s=%s/trace.csv'", solver, folder, shift, value)
set key outside right center
set xlabel 'added to every coordinate'
set offsets graph 0.03, graph 0.03, 0, 0
unset key
plot final('ista') using 0:2:xticlabels(3) with linespoints linestyle 9 title 'ISTA', \
     final('fista') using 0:2 with linespoints linestyle 5 title 'FISTA', \
     final('pa-1') using 0:2 with linespoints linestyle 3 title 'L2O-PA', \
     final('go-1') using 0:2 with linespoints linestyle 1 linewidth 3 title 'GO-Math-L2O'
set key outside right center
set xlabel 'iteration'
set logscale x
set offsets 0, 0, 0, 0
set xrange [1:*]
set xtics autofreq
far = word(values, words(values))
plot curve('ista', far) using 1:2 with lines linestyle 9 title 'ISTA, '.far, \
     curve('fista', far) using 1:2 with lines linestyle 5 title 'FISTA, '.far, \
     curve('pa-1', far) using 1:2 with lines linestyle 3 title 'L2O-PA, '.far, \
     curve('pa-1', '10') using 1:2 with lines linestyle 3 dashtype 2 title 'L2O-PA, 10', \
     curve('go-1', far) using 1:2 with lines linestyle 1 linewidth 3 title 'GO-Math-L2O, '.far, \
     curve('go-1', '10') using 1:2 with lines linestyle 1 dashtype 2 title 'GO-Math-L2O, 10'
unset multiplot
