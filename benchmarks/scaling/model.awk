# SPDX-License-Identifier: BSD-3-Clause
# Seconds of a training step on R ranks, from one measured rank:
#   t(R) = fixed + ceil(B / R) instance + 2 log2(R) latency + 2 bytes / bandwidth      (the last two for R > 1)
#   bytes = 8 (accumulators + B + 2): accumulators of the gradient, one loss an instance, two flags
# Strong scaling: B instances are divided; weak scaling: every rank has `each` of them.
# -v fixed, instance, latency (seconds), bandwidth (bytes a second), accumulators, batch, each
function step(ranks, total,    log2) {
  log2 = log(ranks) / log(2)
  return fixed + int((total + ranks - 1) / ranks) * instance + (ranks > 1 ? 2 * log2 * latency + 2 * bytes(total) / bandwidth : 0)
}
function bytes(total) {
  return 8 * (accumulators + total + 2)
}
function show(seconds) {
  return seconds >= 1 ? sprintf("%.3g s", seconds) : seconds >= 1e-3 ? sprintf("%.3g ms", seconds * 1e3) : sprintf("%.3g us", seconds * 1e6)
}
BEGIN {
  count = split("1 2 4 8 16 32 64 128 256 512 1000", ranks, " ")
  printf("| ranks | %d instances: a step | reduced | of it adding up | efficiency | %d a rank: a step | reduced | efficiency |\n", batch, each)
  print "|---|---|---|---|---|---|---|---|"
  for (i = 1; i <= count; i++) {
    r = ranks[i]
    strong = step(r, batch)
    weak = step(r, each * r)
    adding = (r > 1) * (2 * log(r) / log(2) * latency + 2 * bytes(batch) / bandwidth)
    printf("| %d | %s | %.1f kB | %s | %.0f %% | %s | %.1f kB | %.0f %% |\n", r, show(strong), (r > 1) * bytes(batch) / 1000, show(adding),
      100 * step(1, batch) / (r * strong), show(weak), (r > 1) * bytes(each * r) / 1000, 100 * step(1, each) / weak)
  }
}
