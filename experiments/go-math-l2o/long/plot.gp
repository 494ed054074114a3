# Median gap over unseen instances against the iteration. Expects: seeds.
set title 'LASSO, n = 500: longer training'
set xlabel 'iteration'
set ylabel '(F - F*) / F*'
set logscale y
set format y '10^{%T}'
set yrange [1e-9:200]
set xrange [0:120]
trace = out.'/lasso/trace.csv'
curve(solver) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"q0.5\" { print $3 \",\" ($5 > 1e-12 ? $5 : 1e-12) }' '%s'", solver, trace)
first = word(seeds, 1)
plot curve('ista') using 1:2 with lines linestyle 9 title 'ISTA', \
     curve('fista') using 1:2 with lines linestyle 5 title 'FISTA', \
     curve('best') using 1:2 with lines linestyle 2 title 'FISTA with restarts', \
     curve('go-long-'.first) using 1:2 with lines linestyle 1 linewidth 3 title 'GO-Math-L2O', \
     for [seed in seeds] curve('pa-long-'.seed) using 1:2 with lines linestyle 3 linewidth 3 title (seed eq first ? 'L2O-PA' : '')
