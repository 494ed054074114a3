# SPDX-License-Identifier: BSD-3-Clause
set multiplot layout 2,2 margins 0.09,0.97,0.11,0.86 spacing 0.11,0.19 title 'Which number q of directions is best? It depends on what is counted and on the step'
set logscale x
set xlabel 'q'
set ylabel 'mean log_{10}(f_K / f_0)'
set xrange [0.8:125]
set xtics (1, 2, 5, 10, 20, 50, 100)
set key top center
titles = '"differences counted, step 1/L (the paper)" "all calls counted, step 1/L" "differences counted, step from the trace" "all calls counted, step from the trace"'
panels = 'paper calls trace trace-calls'
data = out.'/decay.csv'
do for [p = 1:4] {
  set title word(titles, p)
  plot data using (strcol(1) eq word(panels, p) && strcol(2) eq 'zo-avg' ? $3 : NaN):4:5 every ::1 with yerrorlines linestyle 1 title 'ZO-Avg', \
       data using (strcol(1) eq word(panels, p) && strcol(2) eq 'zo-align' ? $3 : NaN):4:5 every ::1 with yerrorlines linestyle 2 title 'ZO-Align'
}
unset multiplot
