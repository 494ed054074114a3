# Median gap over unseen instances: one matrix for all (left), one for each (right). Layers beyond the sixteenth repeat it.
if (format eq 'png') { set terminal pngcairo size 1480,560 font 'sans,12' } else { set terminal svg size 1480,560 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,2 title 'LASSO, median over unseen instances'
set logscale xy
set format y '10^{%T}'
set yrange [1e-6:200]
set xrange [1:100]
set xlabel 'iteration'
set ylabel '(F - F*) / F*'
set key bottom left reverse Left
set arrow from 16, graph 0 to 16, graph 1 nohead linecolor rgb '#999999' dashtype 2
curve(family, solver) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"q0.5\" && $3 > 0 { print $3 \",\" ($5 > 1e-12 ? $5 : 1e-12) }' '%s/%s-long/trace.csv'", solver, out, family)
set title 'one matrix'
plot curve('shared', 'ista') using 1:2 with lines linestyle 9 title 'ISTA', \
     curve('shared', 'best') using 1:2 with lines linestyle 5 title 'FISTA with restarts', \
     curve('shared', 'lista-1') using 1:2 with lines linestyle 4 title 'LISTA', \
     curve('shared', 'lista-cp-1') using 1:2 with lines linestyle 2 title 'LISTA-CP', \
     curve('shared', 'lista-cpss-1') using 1:2 with lines linestyle 2 dashtype 2 title 'LISTA-CPSS', \
     curve('shared', 'alista-1') using 1:2 with lines linestyle 3 title 'ALISTA', \
     curve('shared', 'go-1') using 1:2 with lines linestyle 1 linewidth 3 title 'GO-Math-L2O'
set title 'a matrix for each instance'
plot curve('lasso', 'ista') using 1:2 with lines linestyle 9 title 'ISTA', \
     curve('lasso', 'best') using 1:2 with lines linestyle 5 title 'FISTA with restarts', \
     curve('lasso', 'ada-lista-1') using 1:2 with lines linestyle 2 title 'Ada-LISTA', \
     curve('lasso', 'ada-lista-supervised-1') using 1:2 with lines linestyle 2 dashtype 2 title 'Ada-LISTA, 10 layers, supervised', \
     curve('lasso', 'go-1') using 1:2 with lines linestyle 1 linewidth 3 title 'GO-Math-L2O'
unset multiplot
