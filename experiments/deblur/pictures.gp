# Part of the photograph: the original, blurred, and restored; below, what is left of the error. Run by run.sh in its output folder.
psnr(label) = system(sprintf("awk '$1 == \"%s\" { printf \"%%.2f\", $5 }' results.txt", label))
iterations = system("awk '$1 == \"gd\" { print $2 }' results.txt")
labels = "original blurred gd math-l2o-gd math-l2o-nesterov"
side = 96   # pixels of the part
zoom = 3
columns = words(labels)
gap = 10; top = 50
width = columns * (side * zoom + gap) + gap
height = 2 * (side * zoom + gap) + top

set terminal pngcairo size width, height font "Sans,12" background rgb "white"
set output "pictures.png"
unset key; unset border; unset tics; unset colorbox
set palette gray
set cbrange [0:255]
set multiplot
do for [row = 0:1] {
  do for [i = 1:columns] {
    label = word(labels, i)
    left = gap + (i - 1) * (side * zoom + gap)
    bottom = row ? gap : 2 * gap + side * zoom
    set lmargin at screen 1.0 * left / width
    set rmargin at screen 1.0 * (left + side * zoom) / width
    set bmargin at screen 1.0 * bottom / height
    set tmargin at screen 1.0 * (bottom + side * zoom) / height
    unset label
    if (row == 0) {
      caption = i == 1 ? "original" : i == 2 ? "blurred: " . psnr(label) . " dB" : label . ": " . psnr(label) . " dB"
      set label 1 caption at graph 0.5, 1.0 center offset 0, 0.9 noenhanced
    }
    if (row == 1 && i == 1) {
      set label 1 "what is left of the error,\nmagnified 8 times\n(white: none)\n\nrestored in " . iterations . " iterations\n\nPSNR: whole photograph" at graph 0.5, 0.75 center
      plot [0:1][0:1] 2 notitle
    } else {
      file = (row ? "error-" : "shown-") . label . ".pgm"
      header = strlen(sprintf("P5\n%d %d\n255\n", side, side))
      plot [-0.5:side - 0.5][-0.5:side - 0.5] file binary skip=header array=(side,side) flipy format="%uchar" with image
    }
  }
}
unset multiplot
