# SPDX-License-Identifier: BSD-3-Clause
# Median iterations of every variant, a dot for each training seed: filled over the 20 reference instances, open over the fresh ones.
# Expects: families.
if (format eq 'png') { set terminal pngcairo size 1400,760 font 'sans,11' } else { set terminal svg size 1400,760 font 'sans,12' background 'white' }
set output figure
set termoption noenhanced
set multiplot layout 1,words(families)
set xlabel "median iterations to |g| <= 1e-6\nfilled: reference, open: fresh"
set key off
set rmargin 5
set offsets 0, 0, 0.5, 0.5
do for [family in families] {
  set title family
  set logscale x
  set xtics (10, 20, 50, 100, 300)
  set xrange [10:*]
  rows = sprintf("awk -F, -v family='%s' '$1 == family { if (!($2 in at)) at[$2] = -(++n); print at[$2] \",\" $2 \",\" $4 \",\" $6 }' '%s/table.csv'", family, out)
  plot '< '.rows using 3:1:ytic(2) with points linestyle 1, '' using 4:1 with points linestyle 2 pointtype 6
}
unset multiplot
