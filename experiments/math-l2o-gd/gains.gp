# SPDX-License-Identifier: BSD-3-Clause
# Expects: title; rates and expansions, one of them a list of one; published, a file.
set xlabel 'updates of the weights + 1'
set ylabel 'gain over gradient descent, (F_{GD} - F) / F_{GD}'
set title title
set logscale x
set xrange [1:7000]
set key bmargin center maxrows 2
set bmargin 7
by_rate = words(expansions) == 1
curves = by_rate ? words(rates) : words(expansions)
rate(i) = word(rates, by_rate ? i : 1)
expansion(i) = word(expansions, by_rate ? 1 : i)
wanted(r, e) = sum [i = 1:curves] (rate(i) eq r && expansion(i) eq e)
plot for [i = 1:curves] sprintf('%s/gain-%s-%s.csv', out, rate(i), expansion(i)) using ($1 + 1):2 every ::1 \
       with lines linestyle i title by_rate ? 'learning rate '.rate(i) : 'expansion '.expansion(i), \
     published using (wanted(strcol(1), strcol(2)) ? $3 + 1 : NaN):4 every ::1 \
       with points pointtype 6 pointsize 1.4 linewidth 1.5 linecolor rgb 'black' title 'published'
