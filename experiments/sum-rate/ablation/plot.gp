# Share of WMMSE-100's mean rate that each variant reaches with 10 layers.
set ylabel 'share of the rate of 100 WMMSE iterations'
set style fill solid 0.8
set boxwidth 0.6
set yrange [0.7:1]
set xtics rotate by -40
unset key
rows = sprintf("< awk -F, '/ over wmmse-100/ { sub(/ over wmmse-100/, \"\", $1); print $1 \",\" $2 }' '%s/measured.csv'", out)
plot rows using 0:2:xticlabels(1) with boxes linestyle 1
