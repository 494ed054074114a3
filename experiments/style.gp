# SPDX-License-Identifier: BSD-3-Clause
# How the figures look. Expects: figure, format (png or svg).
if (format eq 'png') {
  set terminal pngcairo size 960,620 font 'sans,13'
} else {
  set terminal svg size 960,620 font 'sans,14' background 'white'
}
set output figure
set datafile separator ','
set border 3 linewidth 1
set tics nomirror
set grid linecolor rgb '#dddddd' linetype 1
set key top right reverse Left samplen 2 spacing 1.15
set style line 1 linecolor rgb '#0072b2' linewidth 2 pointtype 7 pointsize 1.1
set style line 2 linecolor rgb '#d55e00' linewidth 2 pointtype 7 pointsize 1.1
set style line 3 linecolor rgb '#009e73' linewidth 2 pointtype 7 pointsize 1.1
set style line 4 linecolor rgb '#cc79a7' linewidth 2 pointtype 7 pointsize 1.1
set style line 5 linecolor rgb '#e69f00' linewidth 2 pointtype 7 pointsize 1.1
set style line 9 linecolor rgb '#555555' linewidth 2 dashtype 2 pointtype 7 pointsize 1.1
