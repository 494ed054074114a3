/* SPDX-License-Identifier: BSD-3-Clause */
/* How near the kernels come to what the machine gives: bench_limits ROUNDS SECONDS prints a Markdown table of the machine's limits
 * and of every kernel, measured in turn in ROUNDS rounds of SECONDS each. Every kernel is checked before it is timed. */
#include "core/complex_small.h"
#include "core/linalg.h"
#include "core/matrix.h"
#include "measure.h"
#include "nn/activation.h"
#include "nn/bfgs_lstm.h"
#include "nn/coordinate_mlp.h"
#include "nn/lstm.h"
#include "nn/output_scale.h"
#include "reads.h"
#include <complex.h>
#include <l2o/l2o.h>
#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#undef I /* of complex.h; here it is a number of inputs */

#ifdef L2O_SINGLE
#define libm_exp expf
#define lapacke_potrf LAPACKE_cpotrf
#define lapacke_potrs LAPACKE_cpotrs
typedef lapack_complex_float lapack_complex;
static const char GEMM[] = "sgemm", POTRF[] = "cpotrf and cpotrs";
static const double TOLERANCE = 1e-4; /* of the largest entry */
#else
#define libm_exp exp
#define lapacke_potrf LAPACKE_zpotrf
#define lapacke_potrs LAPACKE_zpotrs
typedef lapack_complex_double lapack_complex;
static const char GEMM[] = "dgemm", POTRF[] = "zpotrf and zpotrs";
static const double TOLERANCE = 1e-11;
#endif
enum { VECTORS = 4, STEPS = 100 };

static l2o_diag diag;

static void must(l2o_status status) {
  if (status == L2O_OK)
    return;
  fprintf(stderr, "bench_limits: %s\n", diag.text[0] ? diag.text : l2o_strerror(status));
  exit(1);
}

/* What the lines work on lives until the program ends. */
static l2o_real *reals(size_t count) {
  return get(count, sizeof(l2o_real));
}

static l2o_real *normals(size_t count, uint64_t stream, double scale) {
  l2o_real *x = reals(count);
  double *draw = get(count, sizeof *draw);
  l2o_rng rng;
  l2o_rng_seed(&rng, 1, stream, 0);
  l2o_rng_normal(&rng, draw, count);
  for (size_t i = 0; i < count; i++)
    x[i] = (l2o_real)(scale * draw[i]);
  free(draw);
  return x;
}

/* Ends the program unless `got` is within the tolerance of `expected`. */
static void check(const char *what, const l2o_real *got, const double *expected, size_t n) {
  double worst = 0, largest = 0;
  bool finite = true;
  for (size_t i = 0; i < n; i++) {
    finite = finite && isfinite((double)got[i]);
    worst = fmax(worst, fabs((double)got[i] - expected[i]));
    largest = fmax(largest, fabs(expected[i]));
  }
  if (finite && worst <= TOLERANCE * largest)
    return;
  fprintf(stderr, "bench_limits: %s is off by %.2g, of %.2g at most\n", what, worst, largest);
  exit(1);
}

/* The machine */

typedef struct stream {
  l2o_real *a, *b, *c;
  size_t n;
  volatile l2o_real sum; /* read by nobody, but written for sure */
} stream;

static void sum_once(void *context) {
  stream *s = context;
  s->sum = bench_sum(s->a, s->n);
}
static void triad_once(void *context) {
  stream *s = context;
  bench_triad(s->a, s->b, 3, s->c, s->n);
}

static size_t cache_bytes(int name, size_t otherwise) {
  const long size = sysconf(name);
  return size > 0 ? (size_t)size : otherwise;
}
static size_t l1_bytes(void) {
  return cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32768);
}
static size_t l2_bytes(void) {
  return cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1048576);
}
/* Where a kernel finds the data that it goes over again and again. */
static limit home_of(double bytes) {
  return bytes <= (double)l1_bytes() ? LIMIT_L1 : bytes <= (double)l2_bytes() ? LIMIT_L2 : LIMIT_BEYOND;
}

static void add_read(const char *name, limit which, size_t bytes) {
  stream *s = get(1, sizeof *s);
  s->n = bytes / sizeof(l2o_real);
  s->a = reals(s->n);
  for (size_t i = 0; i < s->n; i++)
    s->a[i] = i % 2 ? 1 : -1;
  s->a[0] = 0;
  sum_once(s);
  if (s->sum != (s->n % 2 ? 0 : 1))
    must(L2O_ERR_NUMERIC);
  line *l = line_add(name, sum_once, s, 1);
  l->bytes = (double)bytes;
  l->measures = which;
}

static void add_triad(void) {
  stream *s = get(1, sizeof *s);
  s->n = ((size_t)64 << 20) / sizeof(l2o_real);
  s->a = reals(s->n);
  s->b = reals(s->n);
  s->c = reals(s->n);
  for (size_t i = 0; i < s->n; i++)
    s->b[i] = 1, s->c[i] = 2;
  triad_once(s);
  for (size_t i = 0; i < s->n; i++)
    if (s->a[i] != 7)
      must(L2O_ERR_NUMERIC);
  line *l = line_add("a = b + s c, 64 MiB each", triad_once, s, 1);
  l->bytes = 3.0 * (double)s->n * sizeof(l2o_real);
  l->stores = true;
  l->remark = "reads 2, writes 1; ordinary stores read the line first, which is not counted";
}

typedef struct product {
  l2o_real *A, *B, *C;
  size_t n;
} product;

static void gemm_once(void *context) {
  const product *p = context;
  l2o_gemm(p->C, p->A, false, p->B, true, p->n, p->n, p->n);
}

static void add_gemm(size_t n) {
  product *p = get(1, sizeof *p);
  double expected[8] = {0};
  char name[LINE_NAME];
  p->n = n;
  p->A = normals(n * n, 1, 1);
  p->B = normals(n * n, 2, 1);
  p->C = reals(n * n);
  gemm_once(p);
  for (size_t j = 0; j < 8; j++)
    for (size_t k = 0; k < n; k++)
      expected[j] += (double)p->A[5 * n + k] * (double)p->B[j * n + k];
  check("the matrix product", p->C + 5 * n, expected, 8);
  snprintf(name, sizeof name, "OpenBLAS %s, %zu^3", GEMM, n);
  line *l = line_add(name, gemm_once, p, 1);
  l->flops = 2.0 * (double)n * (double)n * (double)n;
  l->measures = LIMIT_FLOPS;
}

typedef struct region {
  int threads;
  struct {
    volatile int ran;
    char apart[60]; /* a cache line each */
  } member[2];
} region;

static void region_once(void *context) {
  region *r = context;
#pragma omp parallel num_threads(r->threads)
  r->member[omp_get_thread_num()].ran++;
}

static void add_region(int threads) {
  region *r = get(1, sizeof *r);
  char name[LINE_NAME];
  r->threads = threads;
  region_once(r);
  for (int i = 0; i < threads; i++)
    if (r->member[i].ran != 1)
      must(L2O_ERR_NUMERIC);
  snprintf(name, sizeof name, "OpenMP region of %d thread%s", threads, threads > 1 ? "s" : "");
  line_add(name, region_once, r, 1);
}

/* Matrices with few vectors */

typedef struct products {
  size_t count, m, n;
  l2o_real *A, *x[VECTORS], *b[VECTORS], *g[VECTORS], *r[VECTORS];
  double squares[VECTORS];
} products;

static void normal_once(void *context) {
  products *p = context;
  l2o_normal_products(p->count, p->g, p->r, p->squares, p->A, (const l2o_real *const *)p->x, (const l2o_real *const *)p->b, p->m,
                      p->n);
}

static void two_gemv_once(void *context) {
  products *p = context;
  for (size_t c = 0; c < p->count; c++) {
    l2o_gemv(p->r[c], p->A, p->x[c], p->m, p->n);
    for (size_t i = 0; i < p->m; i++)
      p->r[c][i] -= p->b[c][i];
    l2o_gemv_t(p->g[c], p->A, p->r[c], p->m, p->n);
    p->squares[c] = l2o_dot(p->r[c], p->r[c], p->m);
  }
}

static void triangle_once(void *context) {
  products *p = context;
  l2o_triangle_products(p->count, p->g, p->A, (const l2o_real *const *)p->x, p->n);
}

static products *new_products(size_t count, size_t m, size_t n, size_t entries) {
  products *p = get(1, sizeof *p);
  *p = (products){.count = count, .m = m, .n = n, .A = normals(entries, 3, 1)};
  for (size_t c = 0; c < count; c++) {
    p->x[c] = normals(n, 4 + c, 1);
    p->b[c] = normals(m, 14 + c, 1);
    p->g[c] = reals(n);
    p->r[c] = reals(m);
  }
  return p;
}

/* g = A'(A x - b) and |A x - b|^2 in double */
static void check_normal(const products *p, const char *what) {
  for (size_t c = 0; c < p->count; c++) {
    double *g = get(p->n, sizeof *g), squares = 0;
    for (size_t i = 0; i < p->m; i++) {
      double r = -(double)p->b[c][i];
      for (size_t j = 0; j < p->n; j++)
        r += (double)p->A[i * p->n + j] * (double)p->x[c][j];
      for (size_t j = 0; j < p->n; j++)
        g[j] += r * (double)p->A[i * p->n + j];
      squares += r * r;
    }
    const l2o_real got = (l2o_real)p->squares[c];
    check(what, p->g[c], g, p->n);
    check(what, &got, &squares, 1);
    memset(p->g[c], 0, p->n * sizeof *p->g[c]);
    free(g);
  }
}

/* The fused products, and two calls of OpenBLAS that do the same. */
static void add_normal(size_t m, size_t n, size_t count) {
  products *p = new_products(count, m, n, m * n);
  char name[LINE_NAME];
  normal_once(p);
  check_normal(p, "l2o_normal_products");
  two_gemv_once(p);
  check_normal(p, "OpenBLAS");
  snprintf(name, sizeof name, "two gemv of OpenBLAS, %zux%zu, %zu vector%s", n, m, count, count > 1 ? "s" : "");
  line *peer = line_add(name, two_gemv_once, p, 1);
  snprintf(name, sizeof name, "l2o_normal_products, %zux%zu, %zu vector%s", n, m, count, count > 1 ? "s" : "");
  line *ours = line_add(name, normal_once, p, 1);
  const double matrix = (double)(m * n * sizeof(l2o_real)), vectors = (double)(count * 2 * (m + n) * sizeof(l2o_real));
  ours->beside_above = true;
  ours->bytes = matrix;
  peer->bytes = 2 * (double)count * matrix;
  ours->from = peer->from = home_of(matrix + vectors);
  ours->flops = peer->flops = 4 * (double)(m * n * count);
}

static void add_triangle(size_t n, size_t count) {
  products *p = new_products(count, 1, n, n * (n + 1) / 2);
  char name[LINE_NAME];
  l2o_real *packed = p->A;
  p->A = reals(l2o_triangle_len(n));
  l2o_triangle_fill(p->A, packed, n);
  triangle_once(p);
  for (size_t c = 0; c < count; c++) {
    double *y = get(n, sizeof *y);
    const l2o_real *entry = packed;
    for (size_t i = 0; i < n; i++)
      for (size_t j = i; j < n; j++, entry++) {
        y[i] += (double)*entry * (double)p->x[c][j];
        y[j] += i != j ? (double)*entry * (double)p->x[c][i] : 0;
      }
    check("l2o_triangle_products", p->g[c], y, n);
    free(y);
  }
  snprintf(name, sizeof name, "l2o_triangle_products, n = %zu, %zu vector%s", n, count, count > 1 ? "s" : "");
  line *l = line_add(name, triangle_once, p, 1);
  l->bytes = (double)(n * (n + 1) / 2 * sizeof(l2o_real));
  l->from = home_of(l->bytes);
  l->flops = 2 * (double)(n * n * count);
}

/* Small complex systems A X = B, A (q, q) Hermitian, B (q, 2): as many side by side, and one by one */

enum { SIDES = 2 };

typedef struct systems {
  size_t q, count;
  l2o_real *A, *L, *B, *X;                     /* abreast */
  l2o_real *each_A, *each_L, *each_B, *each_X; /* one behind another, columns together, as LAPACK has them */
} systems;

static void abreast_once(void *context) {
  const systems *s = context;
  memcpy(s->X, s->B, 2 * s->q * SIDES * l2o_lanes(s->count) * sizeof *s->X);
  l2o_abreast_cholesky(s->L, s->A, s->q, s->count);
  l2o_abreast_solve(s->X, s->L, L2O_SOLVE_LEFT, s->q, SIDES, s->count);
  l2o_abreast_solve(s->X, s->L, L2O_SOLVE_LEFT_ADJOINT, s->q, SIDES, s->count);
}

static void lapack_once(void *context) {
  const systems *s = context;
  const lapack_int q = (lapack_int)s->q;
  memcpy(s->each_L, s->each_A, 2 * s->q * s->q * s->count * sizeof *s->each_L);
  memcpy(s->each_X, s->each_B, 2 * s->q * SIDES * s->count * sizeof *s->each_X);
  for (size_t i = 0; i < s->count; i++) {
    lapack_complex *L = (lapack_complex *)s->each_L + i * s->q * s->q, *X = (lapack_complex *)s->each_X + i * s->q * SIDES;
    if (lapacke_potrf(LAPACK_COL_MAJOR, 'L', q, L, q) || lapacke_potrs(LAPACK_COL_MAJOR, 'L', q, SIDES, L, q, X, q))
      must(L2O_ERR_NUMERIC);
  }
}

/* Row i and column k of a matrix of system l, in either form */
static void put_entry(l2o_real *abreast, l2o_real *each, const systems *s, size_t i, size_t k, size_t columns, size_t l,
                      double _Complex value) {
  l2o_real *a = abreast + 2 * (i * columns + k) * l2o_lanes(s->count) + l, *b = each + 2 * ((l * columns + k) * s->q + i);
  a[0] = b[0] = (l2o_real)creal(value);
  a[l2o_lanes(s->count)] = b[1] = (l2o_real)cimag(value);
}

/* A = G G^H + q I and B = A X, X and G normal; x (count, q, SIDES, 2) */
static void fill_systems(systems *s, double *x) {
  const size_t q = s->q;
  double _Complex *G = get(q * q, sizeof *G), *A = get(q * q, sizeof *A);
  l2o_rng rng;
  l2o_rng_seed(&rng, 1, 80, q);
  l2o_rng_normal(&rng, x, 2 * q * SIDES * s->count);
  for (size_t l = 0; l < s->count; l++) {
    const double _Complex *X = (const double _Complex *)x + l * q * SIDES;
    l2o_rng_normal(&rng, (double *)G, 2 * q * q);
    for (size_t i = 0; i < q; i++)
      for (size_t j = 0; j < q; j++) {
        A[i * q + j] = i == j ? (double)q : 0;
        for (size_t k = 0; k < q; k++)
          A[i * q + j] += G[i * q + k] * conj(G[j * q + k]);
        put_entry(s->A, s->each_A, s, i, j, q, l, A[i * q + j]);
      }
    for (size_t i = 0; i < q; i++)
      for (size_t k = 0; k < SIDES; k++) {
        double _Complex sum = 0;
        for (size_t j = 0; j < q; j++)
          sum += A[i * q + j] * X[j * SIDES + k];
        put_entry(s->B, s->each_B, s, i, k, SIDES, l, sum);
      }
  }
  free(G);
  free(A);
}

/* Both against the X that B was made of. */
static void check_systems(const systems *s, const double *x) {
  const size_t lanes = l2o_lanes(s->count), entries = 2 * s->q * SIDES * s->count;
  l2o_real *abreast = reals(entries), *each = reals(entries);
  for (size_t l = 0; l < s->count; l++)
    for (size_t i = 0; i < s->q; i++)
      for (size_t k = 0; k < SIDES; k++)
        for (size_t part = 0; part < 2; part++) {
          const size_t to = 2 * ((l * s->q + i) * SIDES + k) + part;
          abreast[to] = s->X[(2 * (i * SIDES + k) + part) * lanes + l];
          each[to] = s->each_X[2 * ((l * SIDES + k) * s->q + i) + part];
        }
  check("l2o_abreast_solve", abreast, x, entries);
  check(POTRF, each, x, entries);
  free(abreast);
  free(each);
}

static void add_systems(size_t q, size_t count) {
  systems *s = get(1, sizeof *s);
  const size_t lanes = l2o_lanes(count), matrix = 2 * q * q, side = 2 * q * SIDES;
  double *x = get(side * count, sizeof *x);
  char name[LINE_NAME];
  *s = (systems){.q = q,
                 .count = count,
                 .A = reals(matrix * lanes),
                 .L = reals(matrix * lanes),
                 .B = reals(side * lanes),
                 .X = reals(side * lanes),
                 .each_A = reals(matrix * count),
                 .each_L = reals(matrix * count),
                 .each_B = reals(side * count),
                 .each_X = reals(side * count)};
  fill_systems(s, x);
  abreast_once(s);
  lapack_once(s);
  check_systems(s, x);
  free(x);
  snprintf(name, sizeof name, "%s of LAPACKE, %zu Hermitian %zux%zu, %d columns", POTRF, count, q, q, SIDES);
  line *peer = line_add(name, lapack_once, s, 1);
  snprintf(name, sizeof name, "l2o_abreast_cholesky and l2o_abreast_solve, %zu Hermitian %zux%zu, %d columns", count, q, q, SIDES);
  line *ours = line_add(name, abreast_once, s, 1);
  ours->beside_above = true;
  ours->elements = peer->elements = (double)count;
  /* q^3 / 6 and SIDES q^2 complex multiplications and additions, eight flops each */
  ours->flops = peer->flops = 8 * (double)count * ((double)(q * q * q) / 6 + (double)(SIDES * q * q));
}

/* The gradient of a sum of rates: 3 cells of 2 users with 2 antennas */

typedef struct rates {
  l2o_problem *problem;
  l2o_real *x, *g, *work;
} rates;

static void rates_once(void *context) {
  const rates *r = context;
  double f;
  must(l2o_problem_gradient(r->problem, &f, r->g, r->x, r->work));
}

static void add_rates(size_t tx) {
  enum { CELLS = 3, USERS = 6, RX = 2, STREAMS = 2 };
  rates *r = get(1, sizeof *r);
  l2o_family *family;
  l2o_check found;
  char name[LINE_NAME];
  snprintf(name, sizeof name, "sum-rate:cells=%d,users=%d,tx=%zu,rx=%d,snr_db=10", CELLS, USERS / CELLS, tx, RX);
  must(l2o_family_new(&family, name, &diag));
  r->problem = get(1, sizeof *r->problem);
  must(l2o_family_sample(family, r->problem, 1, L2O_PURPOSE_TRAIN, 0, &diag));
  r->x = reals(r->problem->n);
  r->g = reals(r->problem->n);
  r->work = reals(l2o_problem_work_len(r->problem));
  must(l2o_problem_start(r->problem, r->x));
  for (size_t i = 0; i < r->problem->n; i++)
    r->x[i] *= (l2o_real)0.9;             /* the start is where the projection has its kink */
  if (sizeof(l2o_real) == sizeof(double)) /* floats leave no differences */
    must(l2o_problem_check(r->problem, &found, r->x, 1e-5, 1, &diag));
  snprintf(name, sizeof name, "gradient of sum-rate, 3 cells, 2 users, 2 antennas a user, tx = %zu", tx);
  line *l = line_add(name, rates_once, r, 1);
  const double pairs = USERS * USERS;
  /* F_uw and the gradient, n^2 rx tx d each, C and Q, n^2 rx^2 d each: complex multiplications and additions */
  l->flops = 8 * 2 * pairs * RX * STREAMS * ((double)tx + RX);
  l->bytes = 2 * 2 * (double)(USERS * CELLS * RX * tx) * sizeof(l2o_real);
  l->from = home_of(l->bytes);
  l->remark = "bytes: the channels, twice; flops without the systems of the users";
}

/* Activations */

typedef struct elements {
  size_t n;
  l2o_real *x, *y;
} elements;

static void exp_once(void *context) {
  const elements *e = context;
  l2o_exp(e->y, e->x, e->n);
}
static void libm_exp_once(void *context) {
  const elements *e = context;
  for (size_t i = 0; i < e->n; i++)
    e->y[i] = libm_exp(e->x[i]);
}
static void sigmoid2_once(void *context) {
  const elements *e = context;
  l2o_output_scale_forward(e->y, e->x, L2O_SCALE_SIGMOID2, e->n);
}
static void libm_sigmoid2_once(void *context) {
  const elements *e = context;
  for (size_t i = 0; i < e->n; i++)
    e->y[i] = 2 / (1 + libm_exp(-e->x[i]));
}

static double double_sigmoid2(double a) {
  return 2 / (1 + exp(-a));
}

static void add_elements(const char *name, void (*work)(void *), double (*function)(double), bool beside_above) {
  elements *e = get(1, sizeof *e);
  e->n = 2048; /* both arrays stay in the first level */
  e->x = normals(e->n, 30, 2);
  e->y = reals(e->n);
  double *expected = get(e->n, sizeof *expected);
  for (size_t i = 0; i < e->n; i++)
    expected[i] = function((double)e->x[i]);
  work(e);
  check(name, e->y, expected, e->n);
  free(expected);
  line *l = line_add(name, work, e, 1);
  l->elements = (double)e->n;
  l->bytes = 2.0 * (double)e->n * sizeof(l2o_real);
  l->from = LIMIT_L1;
  l->beside_above = beside_above;
}

/* The coordinate-wise network */

enum { COORDINATES = 512, INSTANCES = 32 }; /* as many coordinates a call as a 512x400 instance has, from instances in turn */

typedef struct network {
  size_t hidden, at, parameters;
  l2o_model *model;
  l2o_real *g, *x, *p, *dp, *record[INSTANCES];
  double *sum, *weights[2];
} network;

static void forward_once(void *context) {
  network *w = context;
  const size_t i = w->at++ % INSTANCES, first = i * COORDINATES;
  l2o_coordinate_mlp_forward(w->model, w->p + first, w->record[i], w->g + first, w->x + first, COORDINATES);
}

static void backward_once(void *context) {
  network *w = context;
  const size_t i = w->at++ % INSTANCES, first = i * COORDINATES;
  l2o_coordinate_mlp_backward(w->model, w->sum, NULL, NULL, w->dp + first, w->p + first, w->record[i], w->g + first, w->x + first,
                              COORDINATES);
}

static void commit_once(void *context) {
  network *w = context;
  must(l2o_model_set_parameters(w->model, w->weights[w->at++ % 2], w->parameters));
}

/* The initial weights with a small random last layer, and the same a small step on. */
static l2o_model *new_model(size_t hidden, const char *evaluation, double **weights, size_t *count) {
  char spec[200];
  l2o_model *model;
  l2o_rng rng;
  snprintf(spec, sizeof spec, "math-l2o-gd:hidden=%zu,expansion=100,evaluation=%s", hidden, evaluation);
  must(l2o_model_new(&model, spec, 1, &diag));
  const l2o_real *values = l2o_model_parameters(model, count);
  double *first = weights[0] = get(*count, sizeof(double)), *second = weights[1] = get(*count, sizeof(double));
  for (size_t i = 0; i < *count; i++)
    first[i] = (double)values[i];
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor tensor = l2o_model_tensor_at(model, i);
    if (strcmp(tensor.name, "linear_p.weight") != 0)
      continue;
    l2o_rng_seed(&rng, 1, 0, 0);
    l2o_rng_normal(&rng, first + tensor.offset, tensor.count);
    for (size_t j = 0; j < tensor.count; j++)
      first[tensor.offset + j] *= 1e-4;
  }
  l2o_rng_seed(&rng, 2, 0, 0);
  l2o_rng_normal(&rng, second, *count);
  for (size_t i = 0; i < *count; i++)
    second[i] = first[i] * (1 + 1e-3 * second[i]);
  must(l2o_model_set_parameters(model, first, *count));
  return model;
}

static network *new_network(size_t hidden, const char *evaluation) {
  network *w = get(1, sizeof *w);
  const size_t n = COORDINATES * INSTANCES;
  *w = (network){.hidden = hidden, .g = normals(n, 40, 1), .x = normals(n, 41, 1), .p = reals(n)};
  for (size_t i = 0; i < INSTANCES; i++)
    w->record[i] = reals(l2o_coordinate_record_len(COORDINATES));
  w->dp = normals(n, 42, 1e-3);
  w->model = new_model(hidden, evaluation, w->weights, &w->parameters);
  w->sum = get(w->model->type->sum_len(w->model), sizeof *w->sum);
  return w;
}

/* p and dL/dparameters of both evaluations of one instance. */
static void compare_networks(network *angular, network *dense) {
  double *expected = get(COORDINATES, sizeof *expected), *gradient = get(angular->parameters, sizeof *gradient);
  double *dense_gradient = get(angular->parameters, sizeof *dense_gradient);
  l2o_real *got = get(angular->parameters, sizeof *got);
  forward_once(angular);
  forward_once(dense);
  angular->at = dense->at = 0;
  backward_once(angular);
  backward_once(dense);
  for (size_t i = 0; i < COORDINATES; i++)
    expected[i] = (double)dense->p[i];
  check("l2o_coordinate_mlp_forward", angular->p, expected, COORDINATES);
  angular->model->type->gradient(angular->model, gradient, angular->sum);
  dense->model->type->gradient(dense->model, dense_gradient, dense->sum);
  for (size_t i = 0; i < l2o_model_tensor_count(angular->model); i++) {
    const l2o_model_tensor tensor = l2o_model_tensor_at(angular->model, i);
    for (size_t j = 0; j < tensor.count; j++)
      got[j] = (l2o_real)gradient[tensor.offset + j];
    check(tensor.name, got, dense_gradient + tensor.offset, tensor.count);
  }
  for (size_t i = 1; i < INSTANCES; i++)
    forward_once(angular); /* the records of all instances, which the backward pass reads */
  free(expected);
  free(gradient);
  free(dense_gradient);
  free(got);
}

static void add_network_line(network *w, const char *what, void (*work)(void *), double dense_flops) {
  char name[LINE_NAME];
  snprintf(name, sizeof name, "l2o_coordinate_mlp_%s, hidden %zu, %d coordinates", what, w->hidden, COORDINATES);
  line *l = line_add(name, work, w, 1);
  l->elements = COORDINATES;
  l->flops = dense_flops * (double)w->hidden * COORDINATES;
  l->remark = "flops of the dense layers that it stands for";
}

/* Multiplications and additions of a coordinate in the layers behind z: forward z W2 (4 H) and b w3 (2 H); backward db (H), dw3
 * (2 H) and dW2 (4 H), features detached, but dz (4 H) for dW1. */
static void add_network(size_t hidden) {
  network *w = new_network(hidden, "angular"), *dense = new_network(hidden, "dense");
  char name[LINE_NAME];
  compare_networks(w, dense);
  l2o_model_free(dense->model);
  add_network_line(w, "forward", forward_once, 6);
  add_network_line(w, "backward", backward_once, 11);
  network *changing = new_network(hidden, "angular");
  snprintf(name, sizeof name, "l2o_model_set_parameters, hidden %zu (tables for an update)", hidden);
  line_add(name, commit_once, changing, 1)->elements = (double)hidden;
}

/* Long short-term memory: one layer over the coordinates of 32 LASSO instances, in chunks as the header recommends */

enum { LSTM_INPUTS = 2, LSTM_HIDDEN = 20, LSTM_COORDINATES = 16000, LSTM_CHUNKS = LSTM_COORDINATES / L2O_LSTM_CHUNK };

typedef struct cell {
  l2o_lstm layer;
  l2o_real *x, *h, *c, *tape, *dh, *dc, *work; /* chunk by chunk; h, c, dh and dc grow with every pass unless they begin anew */
  double *sum;
} cell;

static void cell_forward_once(void *context) {
  cell *w = context;
  const size_t n = L2O_LSTM_CHUNK, states = LSTM_HIDDEN * n, tape = l2o_lstm_tape_len(&w->layer, n);
  for (size_t i = 0; i < LSTM_CHUNKS; i++)
    l2o_lstm_forward(&w->layer, w->h + i * states, w->c + i * states, w->tape + i % 8 * tape, w->x + i * LSTM_INPUTS * n, NULL, n);
}

static void cell_both_once(void *context) {
  cell *w = context;
  const size_t n = L2O_LSTM_CHUNK, states = LSTM_HIDDEN * n, tape = l2o_lstm_tape_len(&w->layer, n);
  for (size_t i = 0; i < LSTM_CHUNKS; i++) {
    l2o_real *record = w->tape + i % 8 * tape; /* as many chunks as a LASSO instance of 500 unknowns has */
    l2o_lstm_forward(&w->layer, w->h + i * states, w->c + i * states, record, w->x + i * LSTM_INPUTS * n, NULL, n);
    for (size_t j = 0; j < states; j++)
      w->dh[j] = 1, w->dc[j] = 0;
    l2o_lstm_backward(&w->layer, w->sum, NULL, w->dh, w->dc, record, w->work, NULL, n);
  }
}

/* h' of the first coordinate, from h = c = 0 */
static void check_cell(const cell *w, const l2o_real *weight, const l2o_real *bias) {
  double expected[LSTM_HIDDEN];
  l2o_real got[LSTM_HIDDEN];
  for (size_t j = 0; j < LSTM_HIDDEN; j++) {
    double a[4];
    for (size_t q = 0; q < 4; q++) {
      const size_t row = q * LSTM_HIDDEN + j;
      a[q] = 2 * (double)bias[row]; /* both biases are this one */
      for (size_t k = 0; k < LSTM_INPUTS; k++)
        a[q] += (double)weight[row * LSTM_INPUTS + k] * (double)w->x[k * L2O_LSTM_CHUNK];
    }
    expected[j] = tanh(tanh(a[2]) / (1 + exp(-a[0]))) / (1 + exp(-a[3]));
    got[j] = w->h[j * L2O_LSTM_CHUNK];
  }
  check("l2o_lstm_forward", got, expected, LSTM_HIDDEN);
}

/* The products of a cell's way back, of one chunk: the gradient of the weights, da z' with z (x; h; 1), and W'da. */
typedef struct way_back {
  l2o_real *da, *z, *W, *work, *product;
  double *sum;
} way_back;

enum { GATES = 4 * LSTM_HIDDEN, LSTM_ROWS = 2 * LSTM_HIDDEN + 1 };

static void blas_outer_once(void *context) {
  const way_back *w = context;
  l2o_gemm(w->product, w->z, false, w->da, true, LSTM_ROWS, GATES, L2O_LSTM_CHUNK);
  for (size_t i = 0; i < GATES * LSTM_ROWS; i++)
    w->sum[i] += (double)w->product[i];
}
static void outer_once(void *context) {
  const way_back *w = context;
  l2o_add_outer(w->sum, w->work, w->z, w->da, LSTM_ROWS, GATES, L2O_LSTM_CHUNK);
}
static void blas_transposed_once(void *context) {
  const way_back *w = context;
  l2o_gemm(w->product, w->W, true, w->da, false, LSTM_HIDDEN, L2O_LSTM_CHUNK, GATES);
}
static void transposed_once(void *context) {
  const way_back *w = context;
  l2o_transposed_product(w->product, w->W, LSTM_HIDDEN, w->da, NULL, false, LSTM_HIDDEN, GATES, L2O_LSTM_CHUNK);
}

static void add_way_back(void) {
  way_back *w = get(1, sizeof *w);
  const size_t n = L2O_LSTM_CHUNK, sums = GATES * LSTM_ROWS;
  double expected[GATES];
  l2o_real got[GATES];
  w->da = normals(GATES * n, 64, 1);
  w->z = normals(LSTM_ROWS * n, 65, 1);
  w->W = normals(GATES * LSTM_HIDDEN, 66, 0.2);
  w->work = reals(l2o_outer_work_len(GATES, n));
  w->product = reals(sums);
  w->sum = get(sums, sizeof *w->sum);
  outer_once(w);
  for (size_t r = 0; r < GATES; r++) { /* of the last row of z */
    expected[r] = 0;
    for (size_t j = 0; j < n; j++)
      expected[r] += (double)w->z[(LSTM_ROWS - 1) * n + j] * (double)w->da[r * n + j];
    got[r] = (l2o_real)w->sum[sums - GATES + r];
  }
  check("l2o_add_outer", got, expected, GATES);
  transposed_once(w);
  for (size_t j = 0; j < n; j++) { /* the last row */
    expected[j] = 0;
    for (size_t k = 0; k < GATES; k++)
      expected[j] += (double)w->W[(k + 1) * LSTM_HIDDEN - 1] * (double)w->da[k * n + j];
  }
  check("l2o_transposed_product", w->product + (LSTM_HIDDEN - 1) * n, expected, n);
  line *lines[] = {
      line_add("gradient of a cell's weights, 64 coordinates: gemm of OpenBLAS, added in double", blas_outer_once, w, 1),
      line_add("l2o_add_outer", outer_once, w, 1),
      line_add("W' da of a cell, 64 coordinates: gemm of OpenBLAS", blas_transposed_once, w, 1),
      line_add("l2o_transposed_product", transposed_once, w, 1)};
  for (size_t i = 0; i < 4; i++) {
    lines[i]->elements = L2O_LSTM_CHUNK;
    lines[i]->flops = 2.0 * (double)(GATES * (i < 2 ? LSTM_ROWS : LSTM_HIDDEN) * n);
  }
  lines[1]->beside_above = lines[3]->beside_above = true;
}

static void add_cell(void) {
  cell *w = get(1, sizeof *w);
  const size_t H = LSTM_HIDDEN, I = LSTM_INPUTS;
  l2o_real *weight_ih = normals(4 * H * I, 60, 0.2), *weight_hh = normals(4 * H * H, 61, 0.2), *bias = normals(4 * H, 62, 0.2);
  l2o_real *packed = reals(l2o_lstm_packed_len(I, H));
  l2o_lstm_pack(packed, weight_ih, weight_hh, bias, bias, I, H);
  w->layer = (l2o_lstm){.inputs = I, .hidden = H, .weight_ih = weight_ih, .weight_hh = weight_hh, .packed = packed};
  w->x = normals(I * LSTM_COORDINATES, 63, 1);
  w->h = reals(H * LSTM_COORDINATES);
  w->c = reals(H * LSTM_COORDINATES);
  w->tape = reals(8 * l2o_lstm_tape_len(&w->layer, L2O_LSTM_CHUNK));
  w->dh = reals(H * L2O_LSTM_CHUNK);
  w->dc = reals(H * L2O_LSTM_CHUNK);
  w->work = reals(l2o_lstm_work_len(&w->layer, L2O_LSTM_CHUNK));
  w->sum = get(l2o_lstm_sum_len(I, H), sizeof *w->sum);
  cell_forward_once(w);
  check_cell(w, weight_ih, bias);
  /* forward (I + H) 4H multiplications, backward as many for the weights and H 4H for dh; the activations are not counted */
  line *forward = line_add("LSTM cell, 2 inputs, hidden 20, 16000 coordinates: forward", cell_forward_once, w, 1);
  line *both = line_add("forward and backward", cell_both_once, w, 1);
  forward->elements = both->elements = LSTM_COORDINATES;
  forward->flops = (double)(2 * (I + H) * 4 * H * LSTM_COORDINATES);
  both->flops = 2 * forward->flops + (double)(2 * H * 4 * H * LSTM_COORDINATES);
  forward->remark = both->remark = "flops of the products alone; 5 activations a hidden unit";
}

/* The network of L2O-BFGS beside the update of BFGS that it accompanies: what either takes in an iteration with n unknowns */

enum { UNKNOWNS = 500 };

typedef struct iteration {
  const l2o_recurrent *net;
  l2o_real *u, *y, *state, *scratch; /* of the network */
  l2o_real *H, *g, *Hg, *s, *w;      /* of the update */
} iteration;

static void update_once(void *context) {
  const iteration *w = context;
  l2o_symv(w->Hg, w->H, w->g, UNKNOWNS);
  l2o_syr2(w->H, (l2o_real)1e-9, w->s, w->w, UNKNOWNS);
}

static void network_once(void *context) {
  const iteration *w = context;
  l2o_recurrent_forward(w->net, w->y, w->state, NULL, w->scratch, w->u, UNKNOWNS);
}

static void add_iteration(void) {
  iteration *w = get(1, sizeof *w);
  l2o_model *model;
  must(l2o_model_new(&model, "bfgs-lstm", 1, &diag));
  w->net = l2o_bfgs_lstm_network(model);
  const l2o_recurrent_shape *shape = &w->net->shape;
  const size_t n = UNKNOWNS, I = shape->inputs, H = shape->hidden;
  w->u = normals(I * n, 70, 1);
  w->y = reals(n);
  w->state = reals(l2o_recurrent_state_len(shape, n));
  w->scratch = reals(l2o_recurrent_scratch_len(shape, n));
  w->H = reals(n * n);
  for (size_t i = 0; i < n; i++)
    w->H[i * n + i] = 1;
  w->g = normals(n, 71, 1), w->s = normals(n, 72, 1), w->w = normals(n, 73, 1);
  w->Hg = reals(n);
  double *expected = get(n, sizeof *expected);
  update_once(w);
  for (size_t i = 0; i < n; i++)
    expected[i] = (double)w->g[i]; /* H was I */
  check("l2o_symv", w->Hg, expected, n);
  network_once(w);
  const l2o_model_tensor bias = l2o_model_tensor_at(model, l2o_model_tensor_count(model) - 1);
  for (size_t i = 0; i < n; i++)
    expected[i] = (double)l2o_model_parameters(model, NULL)[bias.offset]; /* the head's weights are zero */
  check("l2o_recurrent_forward", w->y, expected, n);
  free(expected);
  line *update = line_add("symv and syr2 of OpenBLAS, n = 500: an update of BFGS", update_once, w, 1);
  line *step = line_add("l2o_recurrent_forward, 7 inputs, 2 layers of 20, 500 coordinates", network_once, w, 1);
  update->bytes = (double)(n * n * sizeof(l2o_real)); /* half of H, twice */
  update->stores = true;
  update->flops = 6 * (double)(n * n);
  step->elements = (double)n;
  step->flops = 2 * (double)(n * (4 * H * (I + H) + 4 * H * (H + H) + H * H + H));
  step->remark = "flops of the products alone; 5 activations a hidden unit";
}

/* Solving */

static void solve_once(void *context) {
  l2o_run *run = context;
  l2o_stop stop = L2O_STOP_NONE;
  must(l2o_run_start(run, NULL));
  for (size_t k = 0; k < STEPS && stop == L2O_STOP_NONE; k++)
    must(l2o_run_step(run, &stop));
  if (stop != L2O_STOP_NONE)
    must(L2O_ERR_NUMERIC);
}

typedef struct instance {
  l2o_family *family;
  l2o_problem *problem;
} instance;

static instance new_instance(size_t n, size_t m) {
  instance made = {.problem = get(1, sizeof *made.problem)};
  char spec[100];
  snprintf(spec, sizeof spec, "qp:n=%zu,m=%zu", n, m);
  must(l2o_family_new(&made.family, spec, &diag));
  must(l2o_family_sample(made.family, made.problem, 1, L2O_PURPOSE_TRAIN, 0, &diag));
  return made;
}

/* Against the same iterations by calls of the problem. */
static void check_gradient_descent(l2o_run *run, const l2o_problem *problem) {
  const size_t n = problem->n;
  double lipschitz, f, *expected = get(n, sizeof *expected);
  l2o_real *x = get(n, sizeof *x), *g = get(n, sizeof *g), *work = get(l2o_problem_work_len(problem), sizeof *work);
  must(l2o_problem_start(problem, x));
  must(l2o_problem_lipschitz(problem, &lipschitz));
  for (size_t k = 0; k < STEPS; k++) {
    must(l2o_problem_gradient(problem, &f, g, x, work));
    for (size_t i = 0; i < n; i++)
      x[i] -= (l2o_real)(0.9999 / lipschitz) * g[i];
  }
  for (size_t i = 0; i < n; i++)
    expected[i] = (double)x[i];
  check("gd", l2o_run_x(run), expected, n);
  free(expected);
  free(x);
  free(g);
  free(work);
}

static void add_solver(const char *rule, const l2o_model *model, size_t n, size_t m) {
  const instance made = new_instance(n, m);
  char name[LINE_NAME];
  l2o_run *run;
  l2o_record record;
  l2o_settings settings = l2o_settings_default();
  settings.iterations = 2 * STEPS;
  must(l2o_run_new(&run, l2o_solver_find(rule, NULL), model, made.problem, &settings, &diag));
  must(l2o_run_start(run, NULL));
  must(l2o_run_record(run, &record));
  const double start = record.objective;
  solve_once(run);
  must(l2o_run_record(run, &record));
  if (!(record.objective < start))
    must(L2O_ERR_NUMERIC);
  if (!model)
    check_gradient_descent(run, made.problem);
  snprintf(name, sizeof name, "l2o_run_step of %s%s, %zux%zu", rule, model ? " (hidden 1024)" : "", n, m);
  line *l = line_add(name, solve_once, run, STEPS);
  l->elements = (double)n;
  l->bytes = (double)(m * n * sizeof(l2o_real));
  l->from = home_of(l->bytes);
  l->flops = 4 * (double)(m * n);
}

/* Training */

typedef struct training {
  l2o_model *model;
  l2o_family *family;
  l2o_trainer *trainer;
  double *gradient;
} training;

static void forward_pass(void *context) {
  const training *t = context;
  double objective;
  must(l2o_trainer_validate(t->trainer, &objective, &diag));
  if (!isfinite(objective))
    must(L2O_ERR_NUMERIC);
}
static void both_passes(void *context) {
  const training *t = context;
  double loss;
  must(l2o_trainer_gradient(t->trainer, &loss, t->gradient, &diag));
}
static void training_step(void *context) {
  const training *t = context;
  l2o_train_record record;
  must(l2o_trainer_step(t->trainer, &record, &diag));
  if (record.rejected)
    must(L2O_ERR_NUMERIC);
}

/* A training step, and its parts as differences: forward is the same number of instances without a record. */
static void add_training(size_t n, size_t m, size_t batch) {
  training *t = get(1, sizeof *t);
  double *weights[2];
  size_t count;
  char name[LINE_NAME];
  t->model = new_model(1024, "auto", weights, &count);
  t->gradient = get(count, sizeof *t->gradient);
  snprintf(name, sizeof name, "qp:n=%zu,m=%zu", n, m);
  must(l2o_family_new(&t->family, name, &diag));
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = s.validation_instances = batch;
  s.horizon = STEPS;
  s.reduction = L2O_REDUCTION_SUM;
  s.learning_rate = 1e-30; /* the weights stay, the work does not shift */
  s.threads = 1;
  must(l2o_trainer_new(&t->trainer, t->model, l2o_solver_find("math-l2o-gd", NULL), t->family, &s, &diag));

  const double word = sizeof(l2o_real), coordinates = (double)(batch * STEPS * n), matrix = (double)(m * n) * word,
               triangle = (double)(n * (n + 1) / 2) * word, back = triangle < matrix ? triangle : matrix;
  snprintf(name, sizeof name, "training step, %zux%zu, batch %zu, T = %d: forward", n, m, batch, STEPS);
  line *forward = line_add(name, forward_pass, t, 1);
  line *both = line_add("forward and backward", both_passes, t, 1);
  both->bytes = (double)(batch * STEPS) * (matrix + back);
  both->from = home_of(matrix);
  line *whole = line_add("the whole step", training_step, t, 1);
  line *backward = line_add("backward (difference)", NULL, NULL, 1);
  line *update = line_add("update (difference)", NULL, NULL, 1);
  forward->elements = both->elements = whole->elements = backward->elements = coordinates;
  forward->bytes = (double)(batch * (STEPS + 1)) * matrix;
  forward->from = home_of(matrix);
  backward->whole = both, backward->part = forward;
  backward->bytes = (double)(batch * STEPS) * back;
  backward->from = home_of(back);
  update->whole = whole, update->part = both;
  update->remark = "reduction, optimizer, tables";
  whole->remark = "elements are coordinates and iterations; bytes are those of the matrices";
}

static double positive(const char *text) {
  char *end;
  const double value = strtod(text, &end);
  if (*end || !(value > 0)) {
    fprintf(stderr, "bench_limits: '%s' is not a positive number\n", text);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  static const size_t sizes[][2] = {{400, 512}, {500, 250}, {20, 32}, {2000, 1000}}; /* rows, columns */
  if (argc != 3) {
    fputs("usage: bench_limits ROUNDS SECONDS\n", stderr);
    return 2;
  }
  const size_t rounds = (size_t)positive(argv[1]);
  const double seconds = positive(argv[2]);

  add_read("sum, half of L1", LIMIT_L1, l1_bytes() / 2);
  add_read("sum, half of L2", LIMIT_L2, l2_bytes() / 2);
  add_read("sum, four times L2", LIMIT_BEYOND, 4 * l2_bytes());
  add_triad();
  add_gemm(512); /* short enough to fit between bursts of other load */
  add_gemm(1024);
  add_region(1);
  add_region(2);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    add_normal(sizes[i][0], sizes[i][1], 1);
    add_normal(sizes[i][0], sizes[i][1], VECTORS);
  }
  add_triangle(512, 1);
  add_triangle(512, VECTORS);
  for (size_t q = 2; q <= 4; q += 2) {
    add_systems(q, 6);
    add_systems(q, 256);
  }
  add_rates(4);
  add_rates(64);
  add_elements("exp of libm", libm_exp_once, exp, false);
  add_elements("l2o_exp", exp_once, exp, true);
  add_elements("2 sigmoid by exp of libm", libm_sigmoid2_once, double_sigmoid2, false);
  add_elements("l2o_output_scale_forward, sigmoid2", sigmoid2_once, double_sigmoid2, true);
  add_network(1024);
  add_network(5120);
  add_cell();
  add_way_back();
  add_iteration();
  double *weights[2];
  size_t count;
  l2o_model *model = new_model(1024, "auto", weights, &count);
  add_solver("gd", NULL, 2, 2);
  add_solver("math-l2o-gd", model, 2, 2);
  add_solver("gd", NULL, 32, 20);
  add_solver("math-l2o-gd", model, 32, 20);
  add_training(32, 20, 32);
  add_training(512, 400, 10);

  lines_measure(rounds, seconds);
  lines_print();
  return 0;
}
