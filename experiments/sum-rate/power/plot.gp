# Share of WMMSE's mean rate against the number of links.
set title 'Power control, Rayleigh channels, 0 dB'
set xlabel 'links'
set ylabel 'share of the mean rate of 100 WMMSE iterations'
set yrange [0:1.1]
set key bottom left
table = sprintf("< tail -n +2 '%s/power.csv'", out)
set offsets 2, 2, 0, 0
plot table using 1:4 with linespoints linestyle 9 title '10 WMMSE', \
     table using 1:3 with linespoints linestyle 5 title 'full power', \
     table using 1:5 with linespoints linestyle 2 title 'direct regression', \
     table using 1:6 with linespoints linestyle 1 linewidth 3 title 'learning-only, 10 layers'
