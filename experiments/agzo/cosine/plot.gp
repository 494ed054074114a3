# Left and middle: all linear weights of a task, by rank, a line a phase. Right: each layer of the trained decoder, as a multiple of mezo's.
if (format eq 'png') { set terminal pngcairo size 1480,520 font 'sans,12' } else { set terminal svg size 1480,520 font 'sans,13' background 'white' }
set output figure
mean(task, phase, layer) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"%s\" && $5 == \"%s\" && $4 ~ /^agzo:rank=[0-9]+$/ { r = substr($4, 11); s[r] += $6; n[r]++ } END { for (r in s) print r \",\" s[r] / n[r] }' '%s/cosines.csv' | sort -n", task, phase, layer, out)
plain(task, phase) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"%s\" && $5 == \"linear\" && $4 == \"mezo:linear\" { s += $6; n++ } END { print 1 \",\" s / n; print 64 \",\" s / n }' '%s/cosines.csv'", task, phase, out)
ratio(layer) = sprintf("< awk -F, '$1 == \"text\" && $2 == \"trained\" && $5 == \"%s\" { if ($4 == \"mezo:linear\") m += $8; else if ($4 ~ /^agzo:rank=[0-9]+$/) { r = substr($4, 11); s[r] += $6 } } END { for (r in s) print r \",\" s[r] / m }' '%s/cosines.csv' | sort -n", layer, out)
set multiplot layout 1,3 title 'Mean |cos| between a direction and the gradient'
set logscale xy
set xlabel 'rank'
set xrange [1:64]
set xtics (1, 2, 4, 8, 16, 64)
set yrange [0.002:0.06]
set ytics (0.002, 0.005, 0.01, 0.02, 0.05)
set title 'network 64-128-128-10'
plot mean('teacher', 'init', 'linear') using 1:2 with linespoints linestyle 1 title 'agzo, start', \
     mean('teacher', '300', 'linear') using 1:2 with linespoints linestyle 3 title '300 steps', \
     mean('teacher', 'trained', 'linear') using 1:2 with linespoints linestyle 2 title '2000 steps', \
     plain('teacher', 'trained') using 1:2 with lines linestyle 9 title 'mezo'
set title 'decoder, 2 layers of width 64'
plot mean('text', 'init', 'linear') using 1:2 with linespoints linestyle 1 title 'agzo, start', \
     mean('text', 'trained', 'linear') using 1:2 with linespoints linestyle 3 title 'trained', \
     mean('text', 'shifted', 'linear') using 1:2 with linespoints linestyle 2 title 'on other text', \
     plain('text', 'trained') using 1:2 with lines linestyle 9 title 'mezo'
set title 'trained decoder, layer by layer: multiple of mezo'
set yrange [0.8:16]
set ytics (1, 2, 5, 10, 20)
set key top right
layer(i, name) = sprintf('model.layers.%d.%s.weight', i, name)
plot for [name in 'self_attn.q_proj self_attn.v_proj self_attn.o_proj mlp.up_proj mlp.down_proj'] ratio(layer(0, name)) using 1:2 with linespoints linewidth 2 pointtype 7 pointsize 0.7 title '0 '.name noenhanced, \
     for [name in 'mlp.up_proj mlp.down_proj'] ratio(layer(1, name)) using 1:2 with linespoints linewidth 2 dashtype 2 pointtype 6 pointsize 0.7 title '1 '.name noenhanced, \
     ratio('lm_head.weight') using 1:2 with linespoints linestyle 9 title 'head'
unset multiplot
