/* SPDX-License-Identifier: BSD-3-Clause */
/* How far are the layers of a trained lista or lista-cpss model from what convergence asks of them (Chen, Liu, Wang, Yin, NeurIPS
 * 2018)? Their weight W_t (m, n), by which y comes in, should have w_i'a_i = 1 and small w_i'a_j, and the iterates the signs of x*.
 *   l2o-lista-conditions MODEL.safetensors FAMILY SEED INSTANCES
 * prints for the layers t = 1 .. K, in per cent: the columns with w_i'a_i outside of [0.99, 1.01], the pairs i != j with w_i'a_j >
 * 1, and the coordinates of x_t whose sign is not that of x*, the minimiser of F, over instances of a family such as
 * "lasso:matrix=shared". */
#include <l2o/l2o.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void stop_with(const char *what, const char *why) {
  fprintf(stderr, "l2o-lista-conditions: %s: %s\n", what, why);
  exit(1);
}

static void *room(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory)
    stop_with("memory", "there is not enough");
  return memory;
}

static int sign(l2o_real x) {
  return (x > 0) - (x < 0);
}

/* ---- signs ---- */

/* wrong[t - 1] += coordinates of x_t with another sign than in x*, t = 1 .. layers. */
static void count_signs(double *wrong, const l2o_model *model, const l2o_problem *problem, size_t layers) {
  l2o_diag diag = {""};
  l2o_run *run = NULL;
  l2o_stop stop = L2O_STOP_NONE;
  double minimum;
  l2o_real *best = room(problem->n, sizeof *best);
  if (l2o_problem_minimum(problem, &minimum, best))
    stop_with("the minimum", "is not known");
  if (l2o_run_new(&run, l2o_solver_find(l2o_model_kind_name(model), &diag), model, problem, NULL, &diag) ||
      l2o_run_start(run, NULL))
    stop_with("start", diag.text);
  for (size_t t = 0; t < layers; t++) {
    if (l2o_run_step(run, &stop) || stop)
      stop_with("step", "the run broke down");
    for (size_t i = 0; i < problem->n; i++)
      wrong[t] += sign(l2o_run_x(run)[i]) != sign(best[i]);
  }
  l2o_run_free(run);
  free(best);
}

/* ---- weights ---- */

static l2o_model_tensor tensor(const l2o_model *model, const char *name) {
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++)
    if (strcmp(l2o_model_tensor_at(model, i).name, name) == 0)
      return l2o_model_tensor_at(model, i);
  stop_with(l2o_model_kind_name(model), "has no weight for a matrix A");
}

/* Columns with w_i'a_i outside of [0.99, 1.01], pairs with w_i'a_j > 1; A is (m, n), w_i the column i of W (m, n), or for lista
 * row i of s We (n, m). */
static void count_products(double *diagonal, double *pairs, const l2o_real *W, const l2o_real *A, double s, bool transposed,
                           size_t m, size_t n) {
  double *row = room(n, sizeof *row); /* w_i'A */
  for (size_t i = 0; i < n; i++) {
    memset(row, 0, n * sizeof *row);
    for (size_t k = 0; k < m; k++)
      for (size_t j = 0; j < n; j++)
        row[j] += s * (double)(transposed ? W[i * m + k] : W[k * n + i]) * (double)A[k * n + j];
    for (size_t j = 0; j < n; j++)
      *pairs += j != i && row[j] > 1;
    *diagonal += !(row[i] >= 0.99 && row[i] <= 1.01);
  }
  free(row);
}

int main(int count, char **arguments) {
  if (count != 5) {
    fprintf(stderr, "usage: l2o-lista-conditions MODEL.safetensors FAMILY SEED INSTANCES\n");
    return 2;
  }
  l2o_diag diag = {""};
  l2o_model *model = NULL;
  l2o_family *family = NULL;
  if (l2o_model_load(&model, arguments[1], NULL, &diag) || l2o_family_new(&family, arguments[2], &diag))
    stop_with(model ? arguments[2] : arguments[1], diag.text);
  const bool lista = strcmp(l2o_model_kind_name(model), "lista") == 0;
  const l2o_model_tensor A = tensor(model, "A"), W = tensor(model, lista ? "We" : "W"), theta = tensor(model, "theta");
  const size_t layers = theta.count, m = A.shape[0], n = A.shape[1], instances = strtoul(arguments[4], NULL, 10);
  const l2o_real *values = l2o_model_parameters(model, NULL);
  double *wrong = room(layers, sizeof *wrong), L = 1;
  for (size_t i = 0; i < instances; i++) {
    l2o_problem problem;
    if (l2o_family_sample(family, &problem, strtoull(arguments[3], NULL, 10), L2O_PURPOSE_EVAL, i, &diag))
      stop_with("instances", diag.text);
    if (l2o_problem_lipschitz(&problem, &L))
      stop_with("instances", "their Lipschitz constant is not known");
    count_signs(wrong, model, &problem, layers);
    l2o_problem_free(&problem);
  }
  puts("layer,signs,diagonal,pairs");
  for (size_t t = 0; t < layers; t++) {
    double diagonal = 0, pairs = 0;
    count_products(&diagonal, &pairs, values + W.offset + (W.shape[0] > 1 ? t : 0) * m * n, values + A.offset,
                   lista ? 0.9999 / L : 1, lista, m, n);
    printf("%zu,%.6g,%.6g,%.6g\n", t + 1, 100 * wrong[t] / (double)(instances * n), 100 * diagonal / (double)n,
           100 * pairs / (double)(n * (n - 1)));
  }
  free(wrong);
  l2o_family_free(family);
  l2o_model_free(model);
  return 0;
}
