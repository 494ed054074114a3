# SPDX-License-Identifier: BSD-3-Clause
# Factors and gate against the iteration, and how fast the gradient falls. Expects: names; ten, those that run with 10 unknowns, too.
if (format eq 'png') { set terminal pngcairo size 1500,560 font 'sans,12' } else { set terminal svg size 1500,560 font 'sans,13' background 'white' }
set output figure
file(name) = out.'/'.name.'.csv'
set multiplot layout 1,3
set xlabel 'iteration'
set logscale y
set yrange [1e-2:30]
set title 'root of the mean (p - 1)^2; dashed: gate'
plot for [i = 1:words(names)] file(word(names, i)) using 1:3 every ::1 with lines linestyle i title word(names, i), \
     for [i = 1:words(names)] file(word(names, i)) using 1:5 every ::1 with lines linestyle i dashtype 2 linewidth 1 title ''
set title 'the same for n = 10'
plot for [i = 1:words(ten)] file(word(ten, i).'-n10') using 1:($3 > 0 ? $3 : NaN) every ::1 with lines linestyle i title (word(ten, i) eq 'unit' ? '' : word(ten, i)), \
     for [i = 1:words(ten)] file(word(ten, i).'-n10') using 1:5 every ::1 with lines linestyle i dashtype 2 linewidth 1 title ''
set title '|g_{k+1}| / |g_k|, median; dashed: n = 10'
set yrange [0.05:8]
plot for [i = 1:words(names)] file(word(names, i)) using 1:7 every ::1 with lines linestyle i title word(names, i), \
     for [i = 1:words(ten)] file(word(ten, i).'-n10') using 1:($2 >= 10 ? $7 : NaN) every ::1 with lines linestyle (word(ten, i) eq 'unit' ? 9 : i) dashtype 2 title word(ten, i).', n = 10'
unset multiplot
