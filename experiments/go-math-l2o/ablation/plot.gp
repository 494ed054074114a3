# Median iterations of every variant to 1e-2, 1e-4 and 1e-6, a dot for each training seed; dashed: FISTA with restarts.
if (format eq 'png') { set terminal pngcairo size 1100,700 font 'sans,11' } else { set terminal svg size 1100,700 font 'sans,12' background 'white' }
set output figure
set termoption noenhanced
set title 'GO-Math-L2O on LASSO, n = 40, m = 20: one thing changed at a time'
set xlabel 'median iterations to a relative gap of 1e-2, 1e-4, 1e-6'
set key outside right center
set offsets 0, 0, 0.5, 0.5
set xrange [0:*]
rows = sprintf("< awk -F, '{ if (!($1 in at)) at[$1] = -(++n); print at[$1] \",\" $0 }' '%s/dots.csv'", out)
hand(solver, column) = system(sprintf("awk -F, '$1 == \"%s\" { print $%d }' '%s/toy.csv'", solver, column, out)) + 0
do for [i = 1:3] {
  set arrow from first hand('best', i + 1), graph 0 to first hand('best', i + 1), graph 1 nohead linecolor rgb '#999999' dashtype 2
}
plot rows using 3:1:ytic(2) with points linestyle 1 title '1e-2', '' using 4:1 with points linestyle 2 title '1e-4', '' using 5:1 with points linestyle 3 title '1e-6'
