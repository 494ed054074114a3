# SPDX-License-Identifier: BSD-3-Clause
if (format eq 'png') { set terminal pngcairo size 1480,600 font 'sans,12' } else { set terminal svg size 1480,600 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,2 title 'Figure 3: LASSO with one matrix, share of violations, layer by layer'
set xlabel 'layer t'
set ylabel 'per cent'
set xrange [0:17]
set yrange [-3:103]
set key at graph 1, graph 0.85
layers(name) = out.'/'.name.'.csv'
do for [which in 'shared unshared'] {
  set title which eq 'shared' ? '3a: all layers share a matrix' : '3b: a matrix for each layer'
  plot layers('lista-'.which) using 1:2 every ::1 with linespoints linestyle 1 title 'LISTA: sign of x_t is not that of x*', \
       layers('lista-cpss-'.which) using 1:2 every ::1 with linespoints linestyle 2 title 'LISTA-CPSS: the same', \
       layers('lista-'.which) using 1:3 every ::1 with lines linestyle 1 dashtype 2 title "LISTA: w_i'a_i outside of [0.99, 1.01]", \
       layers('lista-cpss-'.which) using 1:3 every ::1 with lines linestyle 2 dashtype 3 title 'LISTA-CPSS: the same', \
       layers('lista-'.which) using 1:4 every ::1 with lines linestyle 1 dashtype 4 title "LISTA: w_i'a_j > 1", \
       layers('lista-cpss-'.which) using 1:4 every ::1 with lines linestyle 2 dashtype 5 title 'LISTA-CPSS: the same', \
       '< grep ",'.which.'," '.here.'/published.csv' using 3:4 with points pointtype 6 pointsize 1.4 linewidth 1.5 linecolor rgb 'black' title 'published signs'
}
unset multiplot
