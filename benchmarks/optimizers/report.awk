# SPDX-License-Identifier: BSD-3-Clause
# Judges the logs of all runs alike (objective.h has the format) and prints the Markdown tables of the README.
#   awk -F, -v out=FOLDER -f report.awk LOG
# FOLDER/evaluations.csv: every run; FOLDER/targets: problem and f at tau = 1e-9; FOLDER/profile.dat: for profile.gp.
# A run has solved a problem at tau when f - fl <= tau (f0 - fl), fl the least value that any solver found (More and Wild 2009).

function register(list, name, seen) {
  if (!(name in seen)) {
    seen[name] = ++seen[""]
    list[seen[""]] = name
  }
}

{
  register(problems, $1, problem_seen)
  register(solvers, $3, solver_seen)
  n[$1] = $2
  k = $1 SUBSEP $3
}
$4 == "start" { first[k] = $5 "," $6 }
$4 == "f" {
  i = ++improvements[k]
  values[k, i] = $5; gradients[k, i] = $6; calls[k, i] = $7; f[k, i] = $8
}
$4 == "stationary" { evaluations[k, "stationary"] = $7; split_[k, "stationary"] = $5 "+" $6 }
$4 == "end" {
  total_values[k] = $5; total_gradients[k] = $6; iterations[k] = $8; ended[k] = $11
  if (improvements[k]) best[k] = $9 + 0
}

function geometric_mean(sum, count) {
  return count ? sprintf("%.2f (%d)", exp(sum / count), count) : "- (0)"
}

# Mean ratio of evaluations of solver a to those of b at a test, over the problems that both solve.
function ratio(a, b, test,    i, p, sum, count) {
  for (i = 1; i <= problem_count; i++) {
    p = problems[i]
    if ((p, a, test) in evaluations && (p, b, test) in evaluations) {
      sum += log(evaluations[p, a, test] / evaluations[p, b, test])
      count++
    }
  }
  return geometric_mean(sum, count)
}

# The same against the best of all peers on each problem by itself.
function ratio_to_best(a, test,    i, p, sum, count) {
  for (i = 1; i <= problem_count; i++) {
    p = problems[i]
    if ((p, a, test) in evaluations && (p, test) in least_calls) {
      sum += log(evaluations[p, a, test] / least_calls[p, test])
      count++
    }
  }
  return geometric_mean(sum, count)
}

function is_ours(s) { return s ~ /^l2o / }
function has_memory(s) { return s ~ / m=/ } # not the default
function is_compared(s) { return is_ours(s) && s !~ / m=5/ }

END {
  problem_count = problem_seen[""]
  solver_count = solver_seen[""]
  tests[1] = "1e-3"; tests[2] = "1e-6"; tests[3] = "1e-9"; tests[4] = "stationary"

  # Everybody began at the same point with the same bits.
  differ = 0
  for (i = 1; i <= problem_count; i++)
    for (j = 1; j <= solver_count; j++) {
      k = problems[i] SUBSEP solvers[j]
      if (first[k] !~ /nan/ && !(problems[i] in common)) common[problems[i]] = first[k]
      if (first[k] != common[problems[i]] && k in first && improvements[k]) {
        print "the first evaluation of " solvers[j] " on " problems[i] " is " first[k] ", not " common[problems[i]] > "/dev/stderr"
        differ = 1
      }
    }
  if (differ) exit 1

  for (i = 1; i <= problem_count; i++) {
    p = problems[i]
    f0 = fl = ""
    for (j = 1; j <= solver_count; j++) {
      k = p SUBSEP solvers[j]
      if (!improvements[k]) continue
      if (f0 == "") f0 = f[k, 1] + 0
      if (fl == "" || best[k] < fl) fl = best[k]
    }
    lowest[p] = fl
    start[p] = f0
    printf "%s %.17g\n", p, fl + 1e-9 * (f0 - fl) > (out "/targets")
    for (j = 1; j <= solver_count; j++) {
      s = solvers[j]
      k = p SUBSEP s
      for (t = 1; t <= 3; t++) {
        for (m = 1; m <= improvements[k]; m++)
          if (f[k, m] - fl <= tests[t] * (f0 - fl)) break
        if (m <= improvements[k]) {
          evaluations[k, tests[t]] = calls[k, m]
          split_[k, tests[t]] = values[k, m] == gradients[k, m] ? calls[k, m] : values[k, m] "+" gradients[k, m]
        }
      }
      either[s] += (k, "1e-6") in evaluations || (k, "stationary") in evaluations
      for (t = 1; t <= 4; t++)
        if ((k, tests[t]) in evaluations) {
          solved[s, tests[t]]++
          if (!is_ours(s) && (!((p, tests[t]) in least_calls) || evaluations[k, tests[t]] < least_calls[p, tests[t]]))
            least_calls[p, tests[t]] = evaluations[k, tests[t]]
          if (!has_memory(s) && (!((p, tests[t]) in fastest) || evaluations[k, tests[t]] < fastest[p, tests[t]]))
            fastest[p, tests[t]] = evaluations[k, tests[t]]
        }
    }
  }

  csv = out "/evaluations.csv"
  print "problem,n,solver,f0,least f of all,f,at 1e-3,at 1e-6,at 1e-9,stationary,values,gradients,iterations,ended" > csv
  for (i = 1; i <= problem_count; i++)
    for (j = 1; j <= solver_count; j++) {
      p = problems[i]
      k = p SUBSEP solvers[j]
      printf "%s,%d,%s,%.17g,%.17g,%s", p, n[p], solvers[j], start[p], lowest[p], k in best ? sprintf("%.17g", best[k]) : "" > csv
      for (t = 1; t <= 4; t++)
        printf ",%s", (k, tests[t]) in evaluations ? evaluations[k, tests[t]] : "" > csv
      printf ",%d,%d,%d,%s\n", total_values[k], total_gradients[k], iterations[k], ended[k] > csv
    }

  printf "### Problems solved, of %d, and evaluations\n\n", problem_count
  print "| solver | at 1e-3 | at 1e-6 | at 1e-9 | stationary | at 1e-6 or stationary | evaluations to 1e-6: to libLBFGS's | to the best peer's on each |"
  print "|---|---|---|---|---|---|---|---|"
  for (j = 1; j <= solver_count; j++) {
    s = solvers[j]
    printf "| %s | %d | %d | %d | %d | %d | %s | %s |\n", s, solved[s, "1e-3"], solved[s, "1e-6"], solved[s, "1e-9"], \
      solved[s, "stationary"], either[s], ratio(s, "libLBFGS", "1e-6"), ratio_to_best(s, "1e-6")
  }

  print "\n### Evaluations, as a ratio to each peer's\n"
  row = "| peer |"
  rule = "|---|"
  for (j = 1; j <= solver_count; j++)
    if (is_compared(solvers[j]))
      for (t = 2; t <= 4; t++) {
        row = row " " solvers[j] (t < 4 ? ", " : " ") tests[t] " |"
        rule = rule "---|"
      }
  print row "\n" rule
  for (j = 1; j <= solver_count; j++) {
    if (is_ours(solvers[j])) continue
    row = "| " solvers[j] " |"
    for (i = 1; i <= solver_count; i++)
      if (is_compared(solvers[i]))
        for (t = 2; t <= 4; t++)
          row = row " " ratio(solvers[i], solvers[j], tests[t]) " |"
    print row
  }

  print "\n### Evaluations to 1e-9 on the larger problems (values+gradients where they differ)\n"
  row = "| solver |"
  rule = "|---|"
  for (i = 1; i <= problem_count; i++)
    if (problems[i] !~ /^mgh/) {
      row = row " " problems[i] " |"
      rule = rule "---|"
    }
  print row "\n" rule
  for (j = 1; j <= solver_count; j++) {
    row = "| " solvers[j] " |"
    for (i = 1; i <= problem_count; i++) {
      k = problems[i] SUBSEP solvers[j]
      if (problems[i] !~ /^mgh/)
        row = row " " ((k, "1e-9") in evaluations ? split_[k, "1e-9"] : ended[k] == "time" ? "time" : "-") " |"
    }
    print row
  }

  print "\n### Not solved at 1e-6\n"
  for (j = 1; j <= solver_count; j++) {
    if (has_memory(solvers[j])) continue
    row = ""
    for (i = 1; i <= problem_count; i++) {
      p = problems[i]
      k = p SUBSEP solvers[j]
      if (!((k, "1e-6") in evaluations))
        row = row (row ? ", " : "") p " (" (k in best ? sprintf("%.3g", best[k]) : "no value") " against " sprintf("%.3g", lowest[p]) \
          ((k, "stationary") in evaluations ? ", stationary" : "") (ended[k] == "time" ? ", out of time" : "") ")"
    }
    print "- " solvers[j] ": " (row ? row : "none")
  }

  # Performance profile (Dolan and More 2002): the share of the problems solved within r times the evaluations of the best.
  dat = out "/profile.dat"
  for (j = 1; j <= solver_count; j++) {
    s = solvers[j]
    if (has_memory(s)) continue
    count = 0
    for (i = 1; i <= problem_count; i++) {
      p = problems[i]
      if (!((p, s, "1e-6") in evaluations)) continue
      r = evaluations[p, s, "1e-6"] / fastest[p, "1e-6"]
      for (m = ++count; m > 1 && ratios[m - 1] > r; m--)
        ratios[m] = ratios[m - 1]
      ratios[m] = r
    }
    printf "\"%s\"\n1 0\n", s > dat
    for (m = 1; m <= count; m++)
      printf "%.6g %.6g\n", ratios[m], m / problem_count > dat
    printf "1000 %.6g\n\n\n", count / problem_count > dat
  }
}
