# SPDX-License-Identifier: BSD-3-Clause
set xlabel 'iteration'
set ylabel 'mean objective over unseen instances'
set title 'Fresh instances, three initial weights'
set logscale y
set format y '10^{%T}'
trace = out.'/eval/trace.csv'
mean(solver) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"mean\" { print $3 \",\" $4 }' '%s'", solver, trace)
plot mean('gd') using 1:2 with lines linestyle 9 title 'gradient descent, step 0.9999/L', \
     for [i = 1:3] mean(sprintf('fresh-%d', i)) using 1:2 with lines linestyle i title sprintf('trained rule, seed %d', i), \
     mean('gd-1.5') using 1:2 with lines linestyle 5 dashtype 4 title 'gradient descent, step 1.5/L', \
     mean('nesterov') using 1:2 with lines linestyle 4 dashtype 3 title 'Nesterov'
