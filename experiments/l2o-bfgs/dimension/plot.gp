# SPDX-License-Identifier: BSD-3-Clause
# Median iterations against n. Expects: families.
if (format eq 'png') { set terminal pngcairo size 1380,520 font 'sans,12' } else { set terminal svg size 1380,520 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,words(families)
set xlabel 'n'
set ylabel 'iterations to |g| = 1e-6, median'
set logscale xy
set xtics (20, 50, 100, 200)
set ytics (5, 10, 15, 20, 30, 50, 100, 200, 500, 1000)
set xrange [18:222]
set yrange [6:4000]
set key top left font ',10'
do for [family in families] {
  set title family.', trained at n = 50'
  data = sprintf('%s/%s.csv', out, family)
  plot data using 'n':'unit-I' with linespoints linestyle 9 title 'unit steps, H_0 = I', \
       data using 'n':'cheap' with linespoints linestyle 5 title 'best by hand with one gradient a step', \
       data using 'n':'best' with linespoints linestyle 2 title 'best by hand', \
       data using 'n':'learned-I-1' with linespoints linestyle 3 title 'learned, H_0 = I', \
       data using 'n':'learned-ours-1' with linespoints linestyle 1 linewidth 3 title 'learned, tuned start'
}
unset multiplot
