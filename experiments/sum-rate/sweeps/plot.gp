# Share of WMMSE-100's mean rate against each key. Expects: sets.
if (format eq 'png') { set terminal pngcairo size 1480,420 font 'sans,12' } else { set terminal svg size 1480,420 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,words(sets) title 'share of the mean rate of 100 WMMSE iterations; one model, trained at 10 dB, 2 users, 4 antennas, 3 cells'
set yrange [0.5:1.05]
set key bottom left
label(key) = key eq 'snr_db' ? 'SNR, dB' : key eq 'tx' ? 'transmit antennas' : key eq 'users' ? 'users a cell' : 'cells'
share(key, column) = sprintf("< awk -F, '$1 == \"%s\" { print $2 \",\" $%d / $3 }' '%s/sweeps.csv'", key, column, out)
do for [key in sets] {
  set xlabel label(key)
  if (key eq 'tx') { set logscale x 2 } else { unset logscale x }
  if (key eq 'users' || key eq 'cells') { set xtics 1 } else { set xtics autofreq }
  plot share(key, 5) using 1:2 with linespoints linestyle 9 title '10 WMMSE', \
       share(key, 4) using 1:2 with linespoints linestyle 5 title '10 FastFP', \
       share(key, 6) using 1:2 with linespoints linestyle 1 linewidth 3 title '10 learned layers'
}
unset multiplot
