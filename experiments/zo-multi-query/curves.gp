# SPDX-License-Identifier: BSD-3-Clause
# Suboptimality against function calls, averaging left, alignment right. Expects: row, setting, budget; queries, lowest, what where they
# differ.
if (!exists('queries')) { queries = '1 2 5 10 50 100' }
if (!exists('what')) { what = '(f - f*) / (f_0 - f*)' }
set palette defined (0 '#30123b', 0.25 '#4686fb', 0.5 '#1ae4b6', 0.75 '#faba39', 1 '#7a0403')
unset colorbox
set multiplot layout 1,2 title setting
set logscale y
set format y '10^{%T}'
set xlabel 'function calls charged'
set ylabel what.', mean'
set xtics budget / 4.0
set xrange [0:budget]
set key bottom left
if (exists('lowest')) { set yrange [lowest:*] }
do for [rule in 'zo-avg zo-align'] {
  set title (rule eq 'zo-avg' ? 'ZO-Avg' : 'ZO-Align')
  plot for [i = 1:words(queries)] sprintf('%s/%s-%s-q%s.csv', out, row, rule, word(queries, i)) using 1:2 with lines \
    linewidth 2 linecolor palette frac (words(queries) > 1 ? (i - 1.0) / (words(queries) - 1) : 0) title 'q = '.word(queries, i)
}
unset multiplot
