/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/unrolled.h"
#include "core/diag.h"
#include "core/linalg.h"
#include <l2o/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

/* First in every table. */
enum { LAYERS, M, THETA, LEARN_THETA, STEP_SCALE, COMMON };
#define COMMON_OPTIONS(theta, thetas)                                                                                              \
  {"layers", L2O_OPTION_INT, 16, 1, 1000, NULL, "layers K; iterations beyond them repeat the last one"},                           \
      {"m", L2O_OPTION_INT, 250, 1, 1e5, NULL, "rows of the matrix A"},                                                            \
      {"theta", L2O_OPTION_REAL, theta, 0, 1e12, NULL, "initial thresholds; 0: " thetas},                                          \
      {"learn_theta", L2O_OPTION_CHOICE, 1, 0, 0, "false|true", "train the thresholds too"}, {                                     \
    "step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "base step times L"                                                   \
  }
#define N_OPTION                                                                                                                   \
  { "n", L2O_OPTION_INT, 500, 1, 1e5, NULL, "columns of the matrix A" }
#define SHARED_OPTION                                                                                                              \
  { "shared", L2O_OPTION_CHOICE, 1, 0, 0, "false|true", "one set of matrices for all layers, or one a layer" }
#define SUPPORT_OPTIONS                                                                                                            \
  {"p",                                                                                                                            \
   L2O_OPTION_REAL,                                                                                                                \
   1.2,                                                                                                                            \
   0,                                                                                                                              \
   100,                                                                                                                            \
   NULL,                                                                                                                           \
   "per cent of the entries that layer k = 0, 1, ... leaves as they are: min(p (k+1), p_max)"},                                    \
  {                                                                                                                                \
    "p_max", L2O_OPTION_REAL, 13, 0, 100, NULL, "the most per cent of the entries that a layer leaves as they are"                 \
  }
#define OF_ISTA "those of ista, l1 times the step"

enum { LISTA_N = COMMON, LISTA_SHARED };
static const l2o_option lista_options[] = {COMMON_OPTIONS(0, "l1 of the problem"), N_OPTION, SHARED_OPTION, {0}};

enum { COUPLED_N = COMMON, COUPLED_SHARED, COUPLED_START, COUPLED_P, COUPLED_P_MAX };
enum { FROM_MATRIX, NORMAL };
#define START_OPTION                                                                                                               \
  {                                                                                                                                \
    "start", L2O_OPTION_CHOICE, FROM_MATRIX, 0, 0, "matrix|normal",                                                                \
        "initial W: base step times A of the first training instance, or N(0, 1/(m n)^2)"                                          \
  }
static const l2o_option cp_options[] = {COMMON_OPTIONS(0, OF_ISTA), N_OPTION, SHARED_OPTION, START_OPTION, {0}};
static const l2o_option cpss_options[] = {COMMON_OPTIONS(0, OF_ISTA), N_OPTION, SHARED_OPTION, START_OPTION, SUPPORT_OPTIONS, {0}};

enum { ALISTA_N = COMMON, ALISTA_GAMMA, ALISTA_P, ALISTA_P_MAX };
static const l2o_option alista_options[] = {
    COMMON_OPTIONS(0, "l1 times gamma"),
    N_OPTION,
    {"gamma", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "initial steps; 0: step_scale / largest eigenvalue of W'A"},
    SUPPORT_OPTIONS,
    {0}};

enum { ADA_GAMMA = COMMON, ADA_SHARED };
static const l2o_option ada_options[] = {
    COMMON_OPTIONS(0.2, OF_ISTA " of the first training instance"),
    {"gamma", L2O_OPTION_REAL, 0.2, 0, 1e12, NULL, "initial steps; 0: step_scale / L of the first training instance"},
    SHARED_OPTION,
    {0}};

static size_t count_of(const double *o, int which) {
  return (size_t)o[which];
}
static size_t sets(const double *o, int shared) {
  return o[shared] > 0 ? 1 : count_of(o, LAYERS);
}

/* ---- tensors ---- */

static l2o_model_tensor matrices(const char *name, size_t count, size_t rows, size_t columns) {
  return (l2o_model_tensor){.name = name, .rank = 3, .shape = {count, rows, columns}, .learned = true};
}
static l2o_model_tensor numbers(const char *name, size_t count, bool learned) {
  return (l2o_model_tensor){.name = name, .rank = 1, .shape = {count}, .learned = learned};
}
static l2o_model_tensor constant(const char *name, size_t rows, size_t columns) {
  return (l2o_model_tensor){.name = name, .rank = 2, .shape = {rows, columns}};
}
static l2o_model_tensor thresholds(const double *o) {
  return numbers("theta", count_of(o, LAYERS), o[LEARN_THETA] > 0);
}

enum { LISTA_WE, LISTA_S, LISTA_THETA, LISTA_A, LISTA_TENSORS };
static size_t describe_lista(l2o_model_tensor *t, const double *o) {
  const size_t m = count_of(o, M), n = count_of(o, LISTA_N), R = sets(o, LISTA_SHARED);
  t[LISTA_WE] = matrices("We", R, n, m);
  t[LISTA_S] = matrices("S", R, n, n);
  t[LISTA_THETA] = thresholds(o);
  t[LISTA_A] = constant("A", m, n);
  return LISTA_TENSORS;
}

enum { COUPLED_W, COUPLED_THETA, COUPLED_A, COUPLED_TENSORS };
static size_t describe_coupled(l2o_model_tensor *t, const double *o) {
  const size_t m = count_of(o, M), n = count_of(o, COUPLED_N);
  t[COUPLED_W] = matrices("W", sets(o, COUPLED_SHARED), m, n);
  t[COUPLED_THETA] = thresholds(o);
  t[COUPLED_A] = constant("A", m, n);
  return COUPLED_TENSORS;
}

enum { ALISTA_GAMMAS, ALISTA_THETA, ALISTA_W, ALISTA_A, ALISTA_TENSORS };
static size_t describe_alista(l2o_model_tensor *t, const double *o) {
  const size_t m = count_of(o, M), n = count_of(o, ALISTA_N);
  t[ALISTA_GAMMAS] = numbers("gamma", count_of(o, LAYERS), true);
  t[ALISTA_THETA] = thresholds(o);
  t[ALISTA_W] = constant("W", m, n);
  t[ALISTA_A] = constant("A", m, n);
  return ALISTA_TENSORS;
}

enum { ADA_W1, ADA_W2, ADA_GAMMAS, ADA_THETA, ADA_TENSORS };
static size_t describe_ada(l2o_model_tensor *t, const double *o) {
  const size_t m = count_of(o, M), R = sets(o, ADA_SHARED);
  t[ADA_W1] = matrices("W1", R, m, m);
  t[ADA_W2] = matrices("W2", R, m, m);
  t[ADA_GAMMAS] = numbers("gamma", count_of(o, LAYERS), true);
  t[ADA_THETA] = thresholds(o);
  return ADA_TENSORS;
}

/* ---- the table ---- */

static size_t table_bytes(const l2o_model *m) {
  (void)m;
  return sizeof(l2o_unrolled);
}
const l2o_unrolled *l2o_unrolled_of(const l2o_model *model) {
  return model->table;
}

/* Reals from one matrix of a tensor to the next; 0 where there is one. */
static size_t stride(const l2o_model_tensor *t) {
  return t->shape[0] > 1 ? t->shape[1] * t->shape[2] : 0;
}

static void commit_lista(l2o_model *m) {
  *(l2o_unrolled *)m->table = (l2o_unrolled){.layers = count_of(m->options, LAYERS),
                                             .m = count_of(m->options, M),
                                             .n = count_of(m->options, LISTA_N),
                                             .first = l2o_model_values(m, LISTA_WE),
                                             .second = l2o_model_values(m, LISTA_S),
                                             .first_stride = stride(&m->tensors[LISTA_WE]),
                                             .second_stride = stride(&m->tensors[LISTA_S]),
                                             .theta = l2o_model_values(m, LISTA_THETA),
                                             .A = l2o_model_values(m, LISTA_A)};
}

static void commit_cp(l2o_model *m) {
  *(l2o_unrolled *)m->table = (l2o_unrolled){.layers = count_of(m->options, LAYERS),
                                             .m = count_of(m->options, M),
                                             .n = count_of(m->options, COUPLED_N),
                                             .first = l2o_model_values(m, COUPLED_W),
                                             .first_stride = stride(&m->tensors[COUPLED_W]),
                                             .theta = l2o_model_values(m, COUPLED_THETA),
                                             .A = l2o_model_values(m, COUPLED_A)};
}

static void commit_cpss(l2o_model *m) {
  l2o_unrolled *table = m->table;
  commit_cp(m);
  table->p = m->options[COUPLED_P];
  table->p_max = m->options[COUPLED_P_MAX];
}

static void commit_alista(l2o_model *m) {
  *(l2o_unrolled *)m->table = (l2o_unrolled){.layers = count_of(m->options, LAYERS),
                                             .m = count_of(m->options, M),
                                             .n = count_of(m->options, ALISTA_N),
                                             .first = l2o_model_values(m, ALISTA_W),
                                             .theta = l2o_model_values(m, ALISTA_THETA),
                                             .gamma = l2o_model_values(m, ALISTA_GAMMAS),
                                             .A = l2o_model_values(m, ALISTA_A),
                                             .p = m->options[ALISTA_P],
                                             .p_max = m->options[ALISTA_P_MAX]};
}

static void commit_ada(l2o_model *m) {
  *(l2o_unrolled *)m->table = (l2o_unrolled){.layers = count_of(m->options, LAYERS),
                                             .m = count_of(m->options, M),
                                             .first = l2o_model_values(m, ADA_W1),
                                             .second = l2o_model_values(m, ADA_W2),
                                             .first_stride = stride(&m->tensors[ADA_W1]),
                                             .second_stride = stride(&m->tensors[ADA_W2]),
                                             .theta = l2o_model_values(m, ADA_THETA),
                                             .gamma = l2o_model_values(m, ADA_GAMMAS)};
}

l2o_unrolled_layer l2o_unrolled_at(const l2o_unrolled *u, size_t k) {
  const size_t layer = k < u->layers ? k : u->layers - 1;
  return (l2o_unrolled_layer){.first = u->first + layer * u->first_stride,
                              .second = u->second ? u->second + layer * u->second_stride : NULL,
                              .theta = u->theta + layer,
                              .gamma = u->gamma ? u->gamma + layer : NULL,
                              .share = fmin(u->p * ((double)layer + 1), u->p_max) / 100};
}

/* ---- initial values ---- */

static void fill(const l2o_model *m, size_t tensor, double value) {
  for (size_t i = 0; i < m->tensors[tensor].count; i++)
    l2o_model_values(m, tensor)[i] = (l2o_real)value;
}

/* Every matrix of a tensor (R, rows, columns) = factor * values. */
static void spread(const l2o_model *m, size_t tensor, const double *values, double factor) {
  const l2o_model_tensor *t = &m->tensors[tensor];
  const size_t each = t->rank == 3 ? t->shape[1] * t->shape[2] : t->count;
  for (size_t i = 0; i < t->count; i++)
    l2o_model_values(m, tensor)[i] = (l2o_real)(factor * values[i % each]);
}

/* Before l2o_model_fit_problem() there is nothing to start from: zero. */
static l2o_status initialise_lista(l2o_model *m, uint64_t seed) {
  (void)seed;
  fill(m, LISTA_THETA, m->options[THETA]);
  return L2O_OK;
}

/* W ~ N(0, 1 / (m n)^2) */
static l2o_status initialise_coupled(l2o_model *m, uint64_t seed) {
  const l2o_model_tensor *W = &m->tensors[COUPLED_W];
  double *normal = malloc(W->count * sizeof *normal);
  if (!normal)
    return L2O_ERR_NOMEM;
  l2o_rng rng;
  l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 0, 0);
  l2o_rng_normal(&rng, normal, W->count);
  for (size_t i = 0; i < W->count; i++)
    l2o_model_values(m, COUPLED_W)[i] = (l2o_real)(normal[i] / (double)(W->shape[1] * W->shape[2]));
  fill(m, COUPLED_THETA, m->options[THETA]);
  free(normal);
  return L2O_OK;
}

static l2o_status initialise_alista(l2o_model *m, uint64_t seed) {
  (void)seed;
  fill(m, ALISTA_GAMMAS, m->options[ALISTA_GAMMA]);
  fill(m, ALISTA_THETA, m->options[THETA]);
  return L2O_OK;
}

/* W1 = W2 = I */
static l2o_status initialise_ada(l2o_model *m, uint64_t seed) {
  const size_t rows = count_of(m->options, M), tensors[] = {ADA_W1, ADA_W2};
  (void)seed;
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < m->tensors[tensors[k]].count; i += i % (rows * rows) == rows * rows - 1 ? 1 : rows + 1)
      l2o_model_values(m, tensors[k])[i] = 1;
  fill(m, ADA_GAMMAS, m->options[ADA_GAMMA]);
  fill(m, ADA_THETA, m->options[THETA]);
  return L2O_OK;
}

/* ---- initial values for a matrix ---- */

static void transpose(double *out, const double *A, size_t m, size_t n) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++)
      out[j * m + i] = A[i * n + j];
}

/* m <= n. Room: A' (n, m), U (n, m) with rows (A A')^-1 a_j, A A' (m, m), P = A'(A A')^-1 A (n, n), the projector onto the rows of
 * A, whose trace is its rank m. With D = diag(1 / P_jj) the weight is W'A = D P, similar to D^1/2 P D^1/2. */
static l2o_status wide_weight(double *W, double *largest, const double *A, size_t m, size_t n) {
  double *At = calloc(2 * m * n + m * m + n * n, sizeof *At), trace = 0;
  if (!At)
    return L2O_ERR_NOMEM;
  double *U = At + m * n, *gram = U + m * n, *P = gram + m * m;
  transpose(At, A, m, n);
  l2o_gram_double(gram, At, n, m);
  l2o_status status = l2o_solve_spd_many(U, gram, At, n, m);
  if (!status) {
    transpose(W, U, n, m);
    l2o_gemm_double(P, At, W, false, n, n, m);
    for (size_t j = 0; j < n; j++)
      trace += P[j * n + j];
    if (!(fabs(trace - (double)m) <= 1e-6 * (double)m))
      status = L2O_ERR_NUMERIC;
  }
  if (!status) {
    for (size_t i = 0; i < m * n; i++)
      W[i] /= P[i % n * (n + 1)];
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++)
        if (i != j)
          P[i * n + j] /= sqrt(P[i * n + i] * P[j * n + j]);
    for (size_t j = 0; j < n; j++)
      P[j * n + j] = 1;
    status = l2o_largest_eigenvalue(largest, P, n);
  }
  free(At);
  return status;
}

/* m > n: the rows of W are (A'A)^-1 times those of A; |W|_F^2 = trace (A'A)^-1 tells whether A'A was regular. */
static l2o_status tall_weight(double *W, double *largest, const double *A, size_t m, size_t n) {
  double *gram = malloc(n * n * sizeof *gram), worst = 0;
  if (!gram)
    return L2O_ERR_NOMEM;
  l2o_gram_double(gram, A, m, n);
  l2o_status status = l2o_solve_spd_many(W, gram, A, m, n);
  for (size_t j = 0; j < n && !status; j++) { /* w_j'a_j = 1 */
    double sum = -1;
    for (size_t i = 0; i < m; i++)
      sum += W[i * n + j] * A[i * n + j];
    worst = fmax(worst, isnan(sum) ? HUGE_VAL : fabs(sum));
  }
  *largest = 1;
  free(gram);
  return status || worst <= 1e-6 ? status : L2O_ERR_NUMERIC;
}

l2o_status l2o_analytic_weight(double *W, double *largest, const double *A, size_t m, size_t n, const char *name, l2o_diag *diag) {
  for (size_t j = 0; j < n; j++) {
    bool zero = true;
    for (size_t i = 0; i < m; i++)
      zero &= A[i * n + j] == 0;
    if (zero)
      return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: column %zu of the matrix is zero: no weight w has w'a = 1 with it", name, j);
  }
  const l2o_status status = m <= n ? wide_weight(W, largest, A, m, n) : tall_weight(W, largest, A, m, n);
  if (status == L2O_ERR_NUMERIC)
    return l2o_fail(diag, status, "%s: the %s of the matrix (%zu, %zu) depend on each other: it has no analytic weight", name,
                    m <= n ? "rows" : "columns", m, n);
  return status ? l2o_fail(diag, status, "%s: the analytic weight: %s", name, l2o_strerror(status)) : L2O_OK;
}

/* The matrix in double; free() it. NULL, with a sentence, when out of memory. */
static double *copy_of(const l2o_matrix_fit *fit, size_t more, l2o_diag *diag) {
  double *A = malloc((fit->m * fit->n + more) * sizeof *A);
  for (size_t i = 0; A && i < fit->m * fit->n; i++)
    A[i] = (double)fit->A[i];
  if (!A)
    l2o_fail(diag, L2O_ERR_NOMEM, "out of memory for a matrix (%zu, %zu)", fit->m, fit->n);
  return A;
}

static l2o_status fits(const l2o_model *m, const l2o_matrix_fit *fit, size_t n, l2o_diag *diag) {
  const size_t rows = count_of(m->options, M);
  if (fit->m != rows || (n && fit->n != n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: the problem's matrix is (m, n) = (%zu, %zu), the model is for m = %zu, n = %zu",
                    m->type->kind.name, fit->m, fit->n, rows, n ? n : fit->n);
  return L2O_OK;
}

static double theta_of(const l2o_model *m, double otherwise) {
  return m->options[THETA] > 0 ? m->options[THETA] : otherwise;
}

/* We = A', S = A'A, theta = l1 */
static l2o_status fit_lista(l2o_model *m, const l2o_matrix_fit *fit, l2o_diag *diag) {
  const size_t rows = fit->m, n = fit->n, room = rows * n > n * n ? rows * n : n * n;
  l2o_status status = fits(m, fit, count_of(m->options, LISTA_N), diag);
  double *A = status ? NULL : copy_of(fit, room, diag);
  if (!A)
    return status ? status : L2O_ERR_NOMEM;
  double *other = A + rows * n;
  spread(m, LISTA_A, A, 1);
  transpose(other, A, rows, n);
  spread(m, LISTA_WE, other, 1);
  l2o_gram_double(other, A, rows, n);
  spread(m, LISTA_S, other, 1);
  fill(m, LISTA_THETA, theta_of(m, fit->l1));
  free(A);
  return L2O_OK;
}

/* W = s A, theta = s l1, s = step_scale / L */
static l2o_status fit_coupled(l2o_model *m, const l2o_matrix_fit *fit, l2o_diag *diag) {
  const double s = m->options[STEP_SCALE] / fit->lipschitz;
  l2o_status status = fits(m, fit, count_of(m->options, COUPLED_N), diag);
  double *A = status ? NULL : copy_of(fit, 0, diag);
  if (!A)
    return status ? status : L2O_ERR_NOMEM;
  spread(m, COUPLED_A, A, 1);
  if ((int)m->options[COUPLED_START] == FROM_MATRIX)
    spread(m, COUPLED_W, A, s);
  fill(m, COUPLED_THETA, theta_of(m, s * fit->l1));
  free(A);
  return L2O_OK;
}

/* W analytic; gamma = step_scale / largest eigenvalue of W'A, theta = gamma l1 */
static l2o_status fit_alista(l2o_model *m, const l2o_matrix_fit *fit, l2o_diag *diag) {
  double largest = 1;
  l2o_status status = fits(m, fit, count_of(m->options, ALISTA_N), diag);
  double *A = status ? NULL : copy_of(fit, fit->m * fit->n, diag);
  if (!A)
    return status ? status : L2O_ERR_NOMEM;
  double *W = A + fit->m * fit->n;
  status = l2o_analytic_weight(W, &largest, A, fit->m, fit->n, m->type->kind.name, diag);
  if (!status) {
    const double gamma = m->options[ALISTA_GAMMA] > 0 ? m->options[ALISTA_GAMMA] : m->options[STEP_SCALE] / largest;
    spread(m, ALISTA_A, A, 1);
    spread(m, ALISTA_W, W, 1);
    fill(m, ALISTA_GAMMAS, gamma);
    fill(m, ALISTA_THETA, theta_of(m, gamma * fit->l1));
  }
  free(A);
  return status;
}

static l2o_status fit_ada(l2o_model *m, const l2o_matrix_fit *fit, l2o_diag *diag) {
  const double gamma = m->options[ADA_GAMMA] > 0 ? m->options[ADA_GAMMA] : m->options[STEP_SCALE] / fit->lipschitz;
  const l2o_status status = fits(m, fit, 0, diag);
  if (status)
    return status;
  fill(m, ADA_GAMMAS, gamma);
  fill(m, ADA_THETA, theta_of(m, gamma * fit->l1));
  return L2O_OK;
}

/* ---- gradients ---- */

static size_t sum_len_lista(const l2o_model *m) {
  return m->tensors[LISTA_A].offset;
}
static size_t sum_len_coupled(const l2o_model *m) {
  return m->tensors[COUPLED_A].offset;
}
static size_t sum_len_alista(const l2o_model *m) {
  return m->tensors[ALISTA_W].offset;
}
static size_t sum_len_ada(const l2o_model *m) {
  return m->parameter_count;
}

static void gradient(const l2o_model *m, double *out, const double *sum) {
  memset(out, 0, m->parameter_count * sizeof *out);
  memcpy(out, sum, m->type->sum_len(m) * sizeof *out);
}

static size_t layers(const l2o_model *m) {
  return count_of(m->options, LAYERS);
}

static double step_scale(const l2o_model *m) {
  return m->options[STEP_SCALE];
}

#define UNROLLED(rule, text, table, shape, start, made, committed)                                                                 \
  {                                                                                                                                \
    .kind = {.name = rule, .meaning = text, .options = table}, .describe = describe_##shape, .initialise = initialise_##start,     \
    .fit = fit_##made, .table_bytes = table_bytes, .commit = commit_##committed, .sum_len = sum_len_##shape, .gradient = gradient, \
    .layers = layers, .step_scale = step_scale,                                                                                    \
  }

const l2o_model_type l2o_model_type_lista =
    UNROLLED("lista", "two matrices and a threshold a layer for one matrix A", lista_options, lista, lista, lista, lista);
const l2o_model_type l2o_model_type_lista_cp =
    UNROLLED("lista-cp", "one matrix and a threshold a layer for one matrix A", cp_options, coupled, coupled, coupled, cp);
const l2o_model_type l2o_model_type_lista_cpss =
    UNROLLED("lista-cpss", "the same with support selection", cpss_options, coupled, coupled, coupled, cpss);
const l2o_model_type l2o_model_type_alista =
    UNROLLED("alista", "a step and a threshold a layer beside the analytic weight of one matrix A", alista_options, alista, alista,
             alista, alista);
const l2o_model_type l2o_model_type_ada_lista = UNROLLED(
    "ada-lista", "two matrices, a step and a threshold a layer for every matrix A of m rows", ada_options, ada, ada, ada, ada);
