# Loss against forward passes, one panel a task. A gradient counts as three passes.
if (format eq 'png') { set terminal pngcairo size 1480,560 font 'sans,12' } else { set terminal svg size 1480,560 font 'sans,13' background 'white' }
set output figure
set multiplot layout 1,3 margins screen 0.05,0.83,0.12,0.86 spacing screen 0.05 title 'Fine-tuning after a change of task: mean loss of five instances, every rule at its best step'
curve(task, label, passes) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"mean\" { print %d * $3 \",\" $4 }' '%s/%s-final/trace.csv'", label, passes, out, task)
set xlabel 'forward passes'
set ylabel 'loss'
do for [task in 'teacher digits text'] {
  set title task
  ticks = task eq 'text' ? 500 : 2000
  set xtics ticks
  if (task ne 'teacher') { unset ylabel }
  set xrange [0:(task eq 'teacher' ? 8000 : task eq 'digits' ? 6000 : 2000)]
  if (task eq 'text') { set key at screen 0.99,0.6 right samplen 3 } else { unset key }
  plot curve(task, 'mezo', 2) using 1:2 with lines linestyle 9 title 'mezo', \
       curve(task, 'lozo1', 2) using 1:2 with lines linestyle 5 dashtype 2 title 'lozo, rank 1', \
       curve(task, 'lozo4', 2) using 1:2 with lines linestyle 5 title 'lozo, rank 4', \
       curve(task, 'random', 2) using 1:2 with lines linestyle 4 title 'agzo, random guide', \
       curve(task, 'agzo1', 2) using 1:2 with lines linestyle 1 dashtype 3 title 'agzo, rank 1', \
       curve(task, 'agzo4', 2) using 1:2 with lines linestyle 1 dashtype 2 title 'agzo, rank 4', \
       curve(task, 'agzo8', 2) using 1:2 with lines linestyle 1 dashtype 4 title 'agzo, rank 8', \
       curve(task, 'agzo16', 2) using 1:2 with lines linestyle 1 linewidth 3 title 'agzo, rank 16', \
       curve(task, 'agzo32', 2) using 1:2 with lines linestyle 3 title 'agzo, rank 32', \
       curve(task, 'adam', 3) using 1:2 with lines linestyle 2 title 'Adam'
}
unset multiplot
