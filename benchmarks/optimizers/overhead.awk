# SPDX-License-Identifier: BSD-3-Clause
# Table of overheads from lines of: problem, round, solver, reference (or -), us an iteration, us an evaluation, iterations,
# evaluations, repeats, whether the target was met.
#   awk -F, -f overhead.awk ROWS

function median(list, count,    i, j, value) {
  for (i = 2; i <= count; i++) {
    value = list[i]
    for (j = i; j > 1 && list[j - 1] > value; j--)
      list[j] = list[j - 1]
    list[j] = value
  }
  return (list[int((count + 1) / 2)] + list[int(count / 2) + 1]) / 2
}

{
  if (!($1 in problem_seen)) { problem_seen[$1] = 1; problems[++problem_count] = $1 }
  if (!($3 in reference)) { reference[$3] = $4; solvers[++solver_count] = $3 }
  k = $1 SUBSEP $3
  if ($7 > 0) told[$3] = 1
  iteration[k, $2] = $5; evaluation[k, $2] = $6
  done[k] = 1
  if (!$10) missed[k] = 1
  if ($2 >= rounds) rounds = $2 + 1
}

function cost(k, solver, round) {
  return (solver in told ? iteration[k, round] : evaluation[k, round]) + 0
}

END {
  row = "| solver |"
  rule = "|---|"
  for (i = 1; i <= problem_count; i++) {
    row = row " " problems[i] " |"
    rule = rule "---|"
  }
  print row "\n" rule
  for (j = 1; j <= solver_count; j++) {
    s = solvers[j]
    r = reference[s]
    row = "| " s (s in told ? "" : ", an evaluation") " |"
    for (i = 1; i <= problem_count; i++) {
      k = problems[i] SUBSEP s
      kr = problems[i] SUBSEP r
      count = 0
      if (!(k in done)) {
        row = row " - |"
        continue
      }
      for (m = 0; m < rounds; m++) {
        cost_of[m + 1] = cost(k, s, m)
        if (kr in done && r != s)
          ratio[++count] = s in told ? cost(k, s, m) / cost(kr, r, m) : evaluation[k, m] / evaluation[kr, m]
      }
      row = row sprintf(" %.3g us", median(cost_of, rounds)) (k in missed ? " (missed 1e-9)" : "")
      if (count)
        row = row sprintf("; %.2f (%.2f to %.2f)", median(ratio, count), ratio[1], ratio[count])
      row = row " |"
    }
    print row
  }
}
