# Median iterations of every configuration to 1e-2, 1e-4 and 1e-6, a dot for each training seed; dashed: FISTA with restarts.
set title 'GO-Math-L2O on LASSO, n = 40, m = 20: the 24 published configurations'
set xlabel 'configuration: 1-8 unroll 20, 9-16 unroll 50, 17-24 unroll 100; of eight, 1-4 one epoch, 5-8 three'
set ylabel 'median iterations'
set xrange [0:25]
set yrange [0:*]
set xtics 1, 1, 24
hand(column) = system(sprintf("awk -F, '$1 == \"best\" { print $%d }' '%s/toy.csv'", column, out)) + 0
do for [i = 1:3] {
  set arrow from graph 0, first hand(i + 1) to graph 1, first hand(i + 1) nohead linecolor rgb '#999999' dashtype 2
}
dots = out.'/dots.csv'
plot dots using 1:2 with points linestyle 1 title 'to 1e-2', '' using 1:3 with points linestyle 2 title 'to 1e-4', '' using 1:4 with points linestyle 3 title 'to 1e-6'
