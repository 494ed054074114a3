# Left: median rate against iteration, right: against time, with the share of WMMSE's. Expects: longer, wmmse.
if (format eq 'png') { set terminal pngcairo size 1480,560 font 'sans,12' } else { set terminal svg size 1480,560 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,2 columnsfirst title '3 cells, 2 users each, 4x2 antennas, 10 dB: median over unseen channels'
curve(run, solver) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"q0.5\" { print $3 \",\" (-$4) \",\" 1e6 * $10 }' '%s/%s/trace.csv'", solver, out, run)
set ylabel 'bit/s/Hz'
set yrange [6:20.5]
do for [which = 1:2] {
  if (which == 1) { set xlabel 'iteration, layer'; set logscale x; set xrange [1:100]; unset key } else { set xlabel 'microseconds a channel'; set xrange [1:400]; set key outside right center samplen 3 }
  c = which == 1 ? 1 : 3
  plot curve('hand', 'wmmse') using c:2 with lines linestyle 9 title 'WMMSE', \
       curve('hand', 'fastfp') using c:2 with lines linestyle 5 title 'FastFP', \
       curve('hand', 'extrapolated') using c:2 with lines linestyle 5 dashtype 2 title 'FastFP, extrapolated', \
       curve('hand', 'pga') using c:2 with lines linestyle 4 dashtype 2 title 'projected gradient', \
       curve('learned-10', 'pga-scalar') using c:2 with lines linestyle 4 title 'learned PGA, scalars', \
       curve('learned-10', 'pga-network') using c:2 with lines linestyle 3 title 'learned PGA, network', \
       curve('learned-8', 'deepfp') using c:2 with lines linestyle 2 title 'DeepFP', \
       for [layers in longer] curve('learned-'.layers, 'lo-'.layers) using c:2 with lines linestyle 1 dashtype 2 title 'learning-only, '.layers.' layers', \
       curve('learned-10', 'lo') using c:2 with lines linestyle 1 linewidth 3 title 'learning-only, 10 layers'
}
unset multiplot
