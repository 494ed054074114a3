# Share of users whose rate is below.
set title 'Layout with path loss and shadowing: 3 cells, 2 users each, 8x2 antennas'
set xlabel 'rate of a user, bit/s/Hz'
set ylabel 'share of the users'
set yrange [0:1]
set key bottom right
of(rule) = sprintf('%s/%s.csv', out, rule)
plot of('wmmse-100') using 1:2 with lines linestyle 9 title '100 WMMSE', \
     of('wmmse-10') using 1:2 with lines linestyle 9 dashtype 3 title '10 WMMSE', \
     of('fastfp-10') using 1:2 with lines linestyle 5 title '10 FastFP', \
     of('lo') using 1:2 with lines linestyle 1 dashtype 2 title 'learned on Rayleigh channels, 10 layers', \
     of('lo-layout') using 1:2 with lines linestyle 1 linewidth 3 title 'learned on the layout, 10 layers'
