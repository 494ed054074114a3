# SPDX-License-Identifier: BSD-3-Clause
# The Markdown table of the lines that `bench_rates compare` and numpy_wmmse.py print. -v rule=NAME: the rule that is compared.
# A channel that never comes to the rate took forever: it is among those that the quartiles are of.

BEGIN {
  FS = ","
  FOREVER = 1e300
  method_count = split("rule rule-reduced wmmse wmmse-reduced wmmse-mean wmmse-tolerance wmmse-100 numpy numpy-tolerance", methods, " ")
  name["rule"] = rule
  name["rule-reduced"] = "the rule in as many dimensions as there are receive antennas, reduction and all"
  name["wmmse-reduced"] = "wmmse there, until it has the rate of the rule on the channel"
  name["wmmse"] = "wmmse, until it has the rate of the rule on the channel"
  name["wmmse-mean"] = "wmmse, until its mean rate over the channels is that of the rule"
  name["wmmse-tolerance"] = "wmmse, until a step gains less than 1e-6 of the rate"
  name["wmmse-100"] = "wmmse, 100 steps"
  name["numpy"] = "NumPy WMMSE, until it has the rate of the rule on the channel"
  name["numpy-tolerance"] = "NumPy WMMSE, until a step gains less than 1e-6 of the rate"
}

{
  if (!(($1, "seen") in seen)) {
    seen[$1, "seen"] = 1
    sizes[++size_count] = $1
  }
  k = $1 SUBSEP $4
  time[k, ++count[k]] = $7 == "" ? FOREVER : $7 + 0
  rounds[k, count[k]] = $2 SUBSEP $3
  of_rule[$1, $2, $3] = $4 == "rule" ? $7 + 0 : of_rule[$1, $2, $3]
  if ($7 == "") {
    if (!((k, $3) in missed_on))
      missed[k]++
    missed_on[k, $3] = 1
  } else {
    steps[k] += $5
    rates[k] += $6
    reached[k]++
  }
}

# Shell's method with Ciura's gaps; there is no sort in POSIX awk.
function sort(v, n,    gaps, g, gap, i, j, moving) {
  split("17701 7871 3498 1750 701 301 132 57 23 10 4 1", gaps, " ")
  for (g = 1; g <= 12; g++) {
    gap = gaps[g]
    for (i = gap + 1; i <= n; i++) {
      moving = v[i]
      for (j = i; j > gap && v[j - gap] > moving; j -= gap)
        v[j] = v[j - gap]
      v[j] = moving
    }
  }
}

function shown(value) {
  return value >= FOREVER / 1e9 ? "never" : sprintf("%.3g", value)
}

# "median (quartiles)" of v, which is sorted
function quartiles(v, n) {
  return shown((v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2) " (" shown(v[int((n + 3) / 4)]) " to " shown(v[int((3 * n + 3) / 4)]) ")"
}

END {
  print "| tx | | steps | rate, bit/s/Hz | of WMMSE-100 | us a channel | times as long as the rule | never |"
  print "|---|---|---|---|---|---|---|---|"
  for (s = 1; s <= size_count; s++) {
    tx = sizes[s]
    hundred = rates[tx, "wmmse-100"] / reached[tx, "wmmse-100"]
    for (m = 1; m <= method_count; m++) {
      k = tx SUBSEP methods[m]
      n = count[k]
      if (!n)
        continue
      for (i = 1; i <= n; i++) {
        v[i] = time[k, i]
        ratio[i] = v[i] == FOREVER ? FOREVER : v[i] / of_rule[tx, rounds[k, i]]
      }
      sort(v, n)
      sort(ratio, n)
      # of other channels the share would say nothing
      whole = missed[k] == 0 && n == count[tx, "rule"]
      printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", tx, name[methods[m]], reached[k] ? sprintf("%.4g", steps[k] / reached[k]) : "-",
        reached[k] ? sprintf("%.4f", rates[k] / reached[k]) : "-", whole ? sprintf("%.2f %%", 100 * rates[k] / reached[k] / hundred) : "",
        quartiles(v, n), m == 1 ? "" : quartiles(ratio, n), missed[k] ? missed[k] : ""
    }
  }
}
