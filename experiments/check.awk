# SPDX-License-Identifier: BSD-3-Clause
# awk -F, -v size=full|small -f check.awk bands.csv measured.csv
# bands.csv: size (full, small, both), quantity, low, high, reference, why; reference (what the paper shows, or another computation) is empty where there is none.
# Prints every band with what was measured; fails if something is outside, not a number, or was not measured at all.
FNR == 1 { next }
NR == FNR {
  if ($1 == size || $1 == "both") {
    order[++count] = $2; low[$2] = $3; high[$2] = $4; reference[$2] = $5; why[$2] = $6
  }
  next
}
{ value[$1] = $2 }
END {
  printf "%-44s %11s %11s   %s\n", "", "measured", "reference", "band"
  for (i = 1; i <= count; i++) {
    q = order[i]
    seen = (q in value) && value[q] ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/
    good = seen && value[q] + 0 >= low[q] + 0 && value[q] + 0 <= high[q] + 0
    printf "%-44s %11s %11s   %s .. %s%s\n", q, (q in value) ? (seen ? sprintf("%.6g", value[q]) : value[q]) : "nothing", reference[q] == "" ? "-" : reference[q],
           low[q], high[q], good ? "" : "   OUTSIDE (" why[q] ")"
    failed += !good
  }
  if (!count || failed) {
    printf "%d of %d outside of the band\n", failed, count
    exit 1
  }
}
