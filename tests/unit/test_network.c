/* SPDX-License-Identifier: BSD-3-Clause */
/* The coordinate-wise network: angular against dense evaluation, and every derivative against central differences: output scales,
 * network, one step of each learned rule, whole unrolls. Differences are made in double only. */
#include "l2o_fixtures.h"

#include "learn/trainer.h"
#include "nn/coordinate_layers.h"
#include "nn/coordinate_mlp.h"
#include "nn/output_scale.h"
#include "solve/iterate.h"

static double largest_of(const double *v, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs(v[i]));
  return largest;
}

/* Relative to the largest entry of `expected`. */
static void assert_near(const double *actual, const double *expected, size_t n, double tolerance, const char *what) {
  double bound = tolerance * largest_of(expected, n);
  for (size_t i = 0; i < n; i++)
    if (!(fabs(actual[i] - expected[i]) <= bound))
      fail_msg("%s[%zu] = %.17g, expected %.17g: off by %.3g, allowed %.3g", what, i, actual[i], expected[i],
               fabs(actual[i] - expected[i]), bound);
}

/* ---- angular against dense ---- */

/* What a network makes of n coordinates, forward and backward from a fixed random dp. */
typedef struct outcome {
  double *p, *dg, *dx, *dw; /* (n), (n), (n), (parameters) */
} outcome;

static double *to_doubles(const l2o_real *v, size_t n) {
  double *d = malloc(n * sizeof *d);
  for (size_t i = 0; i < n; i++)
    d[i] = (double)v[i];
  return d;
}

static outcome evaluate(const l2o_model *m, const l2o_real *g, const l2o_real *x, size_t n) {
  l2o_real *block = calloc(4 * n, sizeof *block), *p = block, *dp = p + n, *dg = dp + n, *dx = dg + n;
  l2o_real *record = malloc(l2o_coordinate_record_len(n) * sizeof *record);
  double *sum = calloc(m->type->sum_len(m), sizeof *sum);
  outcome o = {.dw = malloc(m->parameter_count * sizeof *o.dw)};
  l2o_coordinate_mlp_forward(m, p, record, g, x, n);
  normal_reals(dp, n, 5);
  l2o_coordinate_mlp_backward(m, sum, dg, dx, dp, p, record, g, x, n);
  m->type->gradient(m, o.dw, sum);
  o.p = to_doubles(p, n), o.dg = to_doubles(dg, n), o.dx = to_doubles(dx, n);
  free(sum);
  free(record);
  free(block);
  return o;
}

static void outcome_free(outcome *o) {
  free(o->p);
  free(o->dg);
  free(o->dx);
  free(o->dw);
}

/* The same weights evaluated both ways. */
static void assert_both_ways_agree(const l2o_model *angular, const l2o_real *g, const l2o_real *x, size_t n, double tolerance) {
  char spec[L2O_SPEC_MAX];
  const char *own = l2o_model_spec(angular), *at = strstr(own, "evaluation=");
  assert_true(strncmp(at, "evaluation=auto", 15) == 0);
  snprintf(spec, sizeof spec, "%.*sevaluation=dense%s", (int)(at - own), own, at + 15);
  l2o_model *dense = model_of(spec, 0);
  double *w = weights_of(angular);
  assert_status(l2o_model_set_parameters(dense, w, angular->parameter_count), L2O_OK, NULL);
  assert_true(angular->type->sum_len(angular) != dense->type->sum_len(dense) || angular->parameter_count < 9); /* really two ways */
  outcome a = evaluate(angular, g, x, n), d = evaluate(dense, g, x, n);
  assert_near(a.p, d.p, n, tolerance, "p");
  assert_near(a.dg, d.dg, n, tolerance, "dg");
  assert_near(a.dx, d.dx, n, tolerance, "dx");
  for (size_t i = 0; i < angular->tensor_count; i++) {
    const l2o_model_tensor *t = &angular->tensors[i];
    assert_near(a.dw + t->offset, d.dw + t->offset, t->count, tolerance, t->name);
  }
  outcome_free(&a);
  outcome_free(&d);
  free(w);
  l2o_model_free(dense);
}

enum { COORDINATES = 400 };

/* Random features, among them zeros, ones that lie at equal angles, and tiny and huge ones. */
static void features_of_all_kinds(l2o_real *g, l2o_real *x) {
  normal_reals(g, COORDINATES, 1);
  normal_reals(x, COORDINATES, 2);
  for (size_t i = 0; i < 40; i++) {
    g[i + 40] = 2 * g[i]; /* a power of two: exactly the same angle */
    x[i + 40] = 2 * x[i];
    g[i + 80] = g[i] * (l2o_real)1e-20;
    x[i + 80] = x[i] * (l2o_real)1e-20;
    g[i + 120] = g[i] * (l2o_real)1e10;
    x[i + 120] = x[i] * (l2o_real)1e10;
  }
  for (size_t i = 160; i < 170; i++)
    g[i] = 0;
  for (size_t i = 165; i < 180; i++)
    x[i] = 0; /* 165 .. 169: both */
}

static void angular_equals_dense(const char *options, double spread, bool initial) {
  l2o_real g[COORDINATES], x[COORDINATES];
  features_of_all_kinds(g, x);
  for (size_t i = 0; i < COORDINATES && !initial; i++) /* outputs of the size of one: nothing saturates */
    g[i] = (l2o_real)fmax(-5, fmin(5, (double)g[i])), x[i] = (l2o_real)fmax(-5, fmin(5, (double)x[i]));
  char spec[128];
  snprintf(spec, sizeof spec, "math-l2o-gd:hidden=1024,%s", options);
  l2o_model *model = model_of(spec, 3);
  if (!initial)
    randomise(model, 4, spread);
  assert_both_ways_agree(model, g, x, COORDINATES, BY_PRECISION(1e-12, 1e-6));
  if (initial) { /* the initial w3 = 0 hides most of the network */
    double *w = weights_of(model);
    l2o_model_tensor w3 = tensor_named(model, "linear_p.weight");
    normal_doubles(w + w3.offset, w3.count, 6);
    for (size_t j = 0; j < w3.count; j++)
      w[w3.offset + j] *= 1e-5;
    assert_status(l2o_model_set_parameters(model, w, model->parameter_count), L2O_OK, NULL);
    for (size_t i = 0; i < COORDINATES; i++)
      g[i] = (l2o_real)fmax(-5, fmin(5, (double)g[i])), x[i] = (l2o_real)fmax(-5, fmin(5, (double)x[i]));
    assert_both_ways_agree(model, g, x, COORDINATES, BY_PRECISION(1e-12, 1e-6));
    free(w);
  }
  l2o_model_free(model);
}

static void angular_equals_dense_for_random_weights(void **state) {
  (void)state;
  angular_equals_dense("features=grad+x", 0.3, false);
  angular_equals_dense("features=x+grad", 0.3, false);
  angular_equals_dense("features=grad+x,scale=identity,learn_scale=true", 1, false);
  angular_equals_dense("features=grad+x,scale=softplus", 0.5, false);
}

static void angular_equals_dense_at_the_initialisation(void **state) {
  (void)state;
  angular_equals_dense("features=grad+x,expansion=100", 0, true);
  angular_equals_dense("features=x+grad,expansion=100", 0, true);
}

/* A model of two features with given columns of W2, output not scaled, W1 = I: z = max(u, 0). */
static l2o_model *model_of_columns(double (*columns)[2], const double *w3, size_t hidden) {
  char spec[96];
  snprintf(spec, sizeof spec, "math-l2o-gd:hidden=%zu,scale=identity", hidden);
  l2o_model *model = model_of(spec, 0);
  double *w = weights_of(model);
  memcpy(w, (double[]){1, 0, 0, 1}, 4 * sizeof *w);
  for (size_t j = 0; j < hidden; j++) {
    w[4 + j] = columns[j][0];
    w[4 + hidden + j] = columns[j][1];
    w[4 + 2 * hidden + j] = w3[j];
  }
  assert_status(l2o_model_set_parameters(model, w, 4 + 3 * hidden + 1), L2O_OK, NULL);
  free(w);
  return model;
}

/* Columns on the axes, equal columns, a zero column, columns that switch exactly where a coordinate lies: small whole numbers, so
 * that sums are exact and both evaluations must give the same bits, at the switch too. */
static void ties_are_exact(void **state) {
  (void)state;
  static double columns[][2] = {{1, 0},  {0, 1},  {-1, 0}, {0, -1}, {0, 0},  {1, 1},   {-1, -1}, {1, -1},
                                {1, -1}, {-1, 1}, {-1, 1}, {1, -3}, {-3, 1}, {2, -6},  {-1, 3},  {3, -1},
                                {1, -2}, {-2, 1}, {7, -3}, {-7, 3}, {2, 5},  {0, -0.0}};
  enum { HIDDEN = sizeof columns / sizeof *columns };
  static const l2o_real g[] = {0, 1, 0, 1, 3, 1, 2, 1, 3, 7, -1, 5, -2, 4, 9, 2, 1},
                        x[] = {0, 0, 1, 1, 1, 3, 1, 2, 7, 3, 2, -1, -2, 4, 3, 5, 100};
  enum { COUNT = sizeof g / sizeof *g };
  double w3[HIDDEN];
  for (size_t j = 0; j < HIDDEN; j++)
    w3[j] = (double)(j * j % 7) - 3;
  l2o_model *model = model_of_columns(columns, w3, HIDDEN);
  l2o_real p[COUNT];
  l2o_coordinate_mlp_forward(model, p, NULL, g, x, COUNT);
  for (size_t i = 0; i < COUNT; i++) { /* the definition, written down once more */
    double z0 = fmax((double)g[i], 0), z1 = fmax((double)x[i], 0), a = 0;
    for (size_t j = 0; j < HIDDEN; j++)
      a += fmax(z0 * columns[j][0] + z1 * columns[j][1], 0) * w3[j];
    assert_true((double)p[i] == a);
  }
  assert_both_ways_agree(model, g, x, COUNT, BY_PRECISION(1e-14, 1e-6));
  /* one unit at a time: what each contributes at its own switch point */
  for (size_t j = 0; j < HIDDEN; j++) {
    l2o_model *unit = model_of_columns(&columns[j], &(double){1}, 1);
    assert_both_ways_agree(unit, g, x, COUNT, BY_PRECISION(1e-14, 1e-6));
    l2o_model_free(unit);
  }
  l2o_model_free(model);
}

/* A thousand switch points in one bucket of the lookup, and coordinates between and on them. */
static void crowded_angles(void **state) {
  (void)state;
  enum { HIDDEN = 1024 };
  static double columns[HIDDEN][2], w3[HIDDEN];
  static l2o_real g[HIDDEN], x[HIDDEN];
  normal_doubles(w3, HIDDEN, 8);
  for (size_t j = 0; j < HIDDEN; j++) { /* numbers that floats hold too */
    columns[j][0] = j % 2 ? 1 : -1;
    columns[j][1] = (j % 2 ? -1 : 1) * (1 + (double)(j / 2) * 0x1p-20);
    g[j] = (l2o_real)(1 + (double)j * 0x1p-21);
    x[j] = 1;
  }
  l2o_model *model = model_of_columns(columns, w3, HIDDEN);
  assert_both_ways_agree(model, g, x, HIDDEN, BY_PRECISION(1e-9, 1e-5)); /* the sums themselves nearly cancel */
  l2o_model_free(model);
}

/* ---- the kernels, for every instruction set that the processor has ---- */

typedef struct kernels {
  const char *name;
  void (*angular_forward)(const l2o_angular *, l2o_real *, int32_t *, const l2o_coordinates *);
  void (*angular_backward)(const l2o_angular *, double (*)[2], const l2o_coordinates_back *, const int32_t *,
                           const l2o_coordinates *);
  void (*dense_forward)(l2o_real *, const l2o_real *, const l2o_real *, size_t, const l2o_coordinates *);
  void (*dense_backward)(double *, double *, const l2o_coordinates_back *, const l2o_real *, const l2o_real *, size_t,
                         const l2o_coordinates *);
} kernels;

static size_t every_kernel(kernels *out) {
  size_t count = 0;
#define KERNELS(set)                                                                                                               \
  (kernels){#set, l2o_angular_forward_##set, l2o_angular_backward_##set, l2o_dense_forward_##set, l2o_dense_backward_##set}
  out[count++] = KERNELS(portable);
#if L2O_VECTOR_MAX >= 1
  if (L2O_HAS_AVX2)
    out[count++] = KERNELS(avx2);
#endif
#if L2O_VECTOR_MAX >= 2
  if (L2O_HAS_AVX512)
    out[count++] = KERNELS(avx512);
#endif
#undef KERNELS
  return count;
}

/* Coordinates and a network at which the kernels are called. */
typedef struct layers_at {
  l2o_model *model;
  const l2o_real *w2, *w3;
  size_t hidden, n;
  l2o_real *g, *x, *dp, *one;
  l2o_coordinates c;
} layers_at;

static layers_at layers_of(l2o_model *model, size_t hidden, size_t n) {
  layers_at at = {.model = model, .hidden = hidden, .n = n};
  l2o_real *block = malloc(4 * n * sizeof *block);
  at.g = block, at.x = block + n, at.dp = block + 2 * n, at.one = block + 3 * n;
  normal_reals(at.g, n, 31);
  normal_reals(at.x, n, 32);
  normal_reals(at.dp, n, 33);
  for (size_t i = 0; i < n; i++) {
    at.one[i] = 1;
    if (i % 7 == 3) /* on axes of the features, and at zero */
      at.g[i] = 0;
    if (i % 11 == 3)
      at.x[i] = 0;
  }
  at.w2 = l2o_model_values(model, 1);
  at.w3 = l2o_model_values(model, 2);
  at.c = (l2o_coordinates){.u0 = at.g, .u1 = at.x, .n = n};
  for (size_t j = 0; j < 4; j++)
    at.c.w1[j] = (double)l2o_model_values(model, 0)[j];
  return at;
}

static void layers_free(layers_at *at) {
  free(at->g);
  l2o_model_free(at->model);
}

/* What the layers make of the coordinates, forward, and backward from dL/da = dp. */
typedef struct layers_out {
  double *a, *du0, *du1, dw1[4], *dw2, *dw3, dfactor;
} layers_out;

static layers_out new_layers_out(size_t hidden, size_t n) {
  double *block = calloc(3 * n + 3 * hidden, sizeof *block);
  return (layers_out){.a = block, .du0 = block + n, .du1 = block + 2 * n, .dw2 = block + 3 * n, .dw3 = block + 3 * n + 2 * hidden};
}

/* The definitions, in long double from z on. */
static layers_out by_definition(const layers_at *at) {
  const size_t H = at->hidden;
  layers_out out = new_layers_out(H, at->n);
  const double *w = at->c.w1;
  long double dw1[4] = {0}, *dw = calloc(3 * H, sizeof *dw);
  for (size_t i = 0; i < at->n; i++) {
    const double u[2] = {(double)at->g[i], (double)at->x[i]};
    const double z[2] = {fmax(u[0] * w[0] + u[1] * w[2], 0), fmax(u[0] * w[1] + u[1] * w[3], 0)};
    long double a = 0, dz[2] = {0, 0}, delta = (long double)at->dp[i];
    for (size_t j = 0; j < H; j++) {
      const long double q[2] = {(long double)at->w2[j], (long double)at->w2[H + j]}, c = (long double)at->w3[j];
      const long double b = (long double)z[0] * q[0] + (long double)z[1] * q[1];
      if (!(b > 0))
        continue;
      a += b * c;
      dw[2 * H + j] += b * delta;
      for (size_t r = 0; r < 2; r++) {
        dw[r * H + j] += (long double)z[r] * c * delta;
        dz[r] += q[r] * c * delta;
      }
    }
    for (size_t r = 0; r < 2; r++)
      dz[r] = z[r] > 0 ? dz[r] : 0;
    for (size_t j = 0; j < 4; j++)
      dw1[j] += (long double)u[j / 2] * dz[j % 2];
    out.a[i] = (double)a;
    out.du0[i] = (double)(dz[0] * (long double)w[0] + dz[1] * (long double)w[1]);
    out.du1[i] = (double)(dz[0] * (long double)w[2] + dz[1] * (long double)w[3]);
    out.dfactor += (double)at->one[i] * (double)at->dp[i];
  }
  for (size_t j = 0; j < 4; j++)
    out.dw1[j] = (double)dw1[j];
  for (size_t j = 0; j < 3 * H; j++)
    out.dw2[j] = (double)dw[j];
  free(dw);
  return out;
}

static layers_out by_kernels(const layers_at *at, const kernels *k, bool angular) {
  const size_t H = at->hidden, n = at->n;
  layers_out out = new_layers_out(H, n);
  l2o_real *reals = calloc(3 * n, sizeof *reals);
  int32_t *places = malloc(n * sizeof *places);
  const l2o_coordinates_back back = {.dp = at->dp,
                                     .slope = at->one,
                                     .value = at->one,
                                     .factor = 1,
                                     .dw1 = out.dw1,
                                     .dfactor = &out.dfactor,
                                     .du0 = reals + n,
                                     .du1 = reals + 2 * n};
  if (angular) {
    double(*D)[2] = calloc(H + 1, sizeof *D);
    k->angular_forward(at->model->table, reals, places, &at->c);
    k->angular_backward(at->model->table, D, &back, places, &at->c);
    l2o_angular_gradient(at->model->table, out.dw2, out.dw3, (const double(*)[2])D, at->w2, at->w3, H);
    free(D);
  } else {
    k->dense_forward(reals, at->w2, at->w3, H, &at->c);
    k->dense_backward(out.dw2, out.dw3, &back, at->w2, at->w3, H, &at->c);
  }
  for (size_t i = 0; i < 3 * n; i++)
    out.a[i] = (double)reals[i];
  free(places);
  free(reals);
  return out;
}

static void assert_layers_near(const layers_at *at, const layers_out *actual, const layers_out *expected, double forward,
                               double backward, const char *name) {
  const double real = BY_PRECISION(0, 1.2e-7); /* what rounding the result takes */
  char what[64];
  snprintf(what, sizeof what, "%s a", name);
  assert_near(actual->a, expected->a, at->n, forward + real, what);
  snprintf(what, sizeof what, "%s du", name);
  assert_near(actual->du0, expected->du0, at->n, backward + real, what);
  assert_near(actual->du1, expected->du1, at->n, backward + real, what);
  snprintf(what, sizeof what, "%s dW", name);
  assert_near(actual->dw1, expected->dw1, 4, backward, what);
  assert_near(actual->dw2, expected->dw2, 2 * at->hidden, backward, what);
  assert_near(actual->dw3, expected->dw3, at->hidden, backward, what);
  assert_close(actual->dfactor, expected->dfactor, 1e-13, 1e-13);
}

static l2o_model *initial_model_with_weights(size_t hidden, double spread) {
  char spec[64];
  snprintf(spec, sizeof spec, "math-l2o-gd:hidden=%zu,expansion=100", hidden);
  l2o_model *model = model_of(spec, 9);
  double *w = weights_of(model);
  l2o_model_tensor w3 = tensor_named(model, "linear_p.weight");
  normal_doubles(w + w3.offset, w3.count, 6);
  for (size_t j = 0; j < w3.count; j++)
    w[w3.offset + j] *= spread;
  assert_status(l2o_model_set_parameters(model, w, model->parameter_count), L2O_OK, NULL);
  free(w);
  return model;
}

static void kernels_are_exact(void **state) {
  (void)state;
  kernels all[3];
  const size_t count = every_kernel(all);
  for (int initial = 0; initial < 2; initial++) {
    l2o_model *model = initial_model_with_weights(1024, 1e-3);
    if (!initial)
      randomise(model, 4, 0.3);
    layers_at at = layers_of(model, 1024, 700);
    layers_out expected = by_definition(&at);
    for (size_t k = 0; k < count; k++)
      for (int angular = 0; angular < 2; angular++) {
        char name[32];
        snprintf(name, sizeof name, "%s %s", angular ? "angular" : "dense", all[k].name);
        layers_out out = by_kernels(&at, &all[k], angular);
        /* of the largest a; at the initialisation the sums are made of terms that are much larger than what is left of them */
        const double forward = angular ? (initial ? 1e-15 : 4e-16) : (initial ? 5e-15 : 1e-15);
        assert_layers_near(&at, &out, &expected, forward, 1e-14, name);
        free(out.a);
      }
    free(expected.a);
    layers_free(&at);
  }
}

/* The same bits whatever stands beside a coordinate, and in tails. */
static void coordinates_do_not_see_each_other(void **state) {
  (void)state;
  enum { MOST = 70 };
  kernels all[3];
  const size_t count = every_kernel(all);
  layers_at at = layers_of(initial_model_with_weights(37, 1), 37, 2 * MOST);
  for (size_t k = 0; k < count; k++)
    for (int angular = 0; angular < 2; angular++) {
      layers_out whole = by_kernels(&at, &all[k], angular);
      for (size_t n = 1; n <= MOST; n++) {
        const size_t first = 3 * n % MOST;
        layers_at some = at;
        some.n = some.c.n = n;
        some.g += first, some.x += first, some.dp += first;
        some.c.u0 = some.g, some.c.u1 = some.x;
        layers_out part = by_kernels(&some, &all[k], angular);
        assert_memory_equal(part.a, whole.a + first, n * sizeof *part.a);
        assert_memory_equal(part.du0, whole.du0 + first, n * sizeof *part.du0);
        assert_memory_equal(part.du1, whole.du1 + first, n * sizeof *part.du1);
        layers_out expected = by_definition(&some);
        assert_layers_near(&some, &part, &expected, 1e-14, 1e-13, all[k].name);
        free(part.a);
        free(expected.a);
      }
      free(whole.a);
    }
  layers_free(&at);
}

/* A unit gives nothing, and hands nothing on, where its switch point is met exactly: relu'(0) = 0. Many of these angles a / (a + b)
 * are not numbers of the machine. */
static void ties_hand_nothing_on(void **state) {
  (void)state;
  kernels all[3];
  const size_t count = every_kernel(all);
  for (size_t a = 1; a < 24; a++)
    for (size_t b = 1; b < 24; b++)
      for (int off = 0; off < 2; off++) {
        const double sign = off ? 1 : -1;
        double column[1][2] = {{sign * (double)a, -sign * (double)b}};
        layers_at at = layers_of(model_of_columns(column, &(double){1}, 1), 1, 9);
        for (size_t i = 0; i < at.n; i++)
          at.g[i] = (l2o_real)((double)b * (double)(i + 1) / 3), at.x[i] = at.g[i] * (l2o_real)a / (l2o_real)b;
        for (size_t i = 0; i < at.n; i++)
          if ((double)at.g[i] * (double)a != (double)at.x[i] * (double)b) /* not a tie after rounding */
            at.g[i] = (l2o_real)b, at.x[i] = (l2o_real)a;
        for (size_t k = 0; k < count; k++)
          for (int angular = 0; angular < 2; angular++) {
            layers_out out = by_kernels(&at, &all[k], angular);
            assert_true(largest_of(out.a, 3 * at.n + 3) == 0); /* a, du, dW2, dw3 */
            free(out.a);
          }
        layers_free(&at);
      }
}

static void equal_angles(void **state) {
  (void)state;
  enum { HIDDEN = 600 };
  static double columns[HIDDEN][2], w3[HIDDEN];
  kernels all[3];
  const size_t count = every_kernel(all);
  normal_doubles(w3, HIDDEN, 8);
  for (size_t j = 0; j < HIDDEN; j++) { /* multiples of two columns, and of their opposites */
    const double factor = (j % 4 < 2 ? 1 : -1) * (double)(1 + j % 5);
    columns[j][0] = factor * (j % 2 ? 1 : 3), columns[j][1] = factor * -2;
  }
  layers_at at = layers_of(model_of_columns(columns, w3, HIDDEN), HIDDEN, 100);
  layers_out expected = by_definition(&at);
  for (size_t k = 0; k < count; k++)
    for (int angular = 0; angular < 2; angular++) {
      layers_out out = by_kernels(&at, &all[k], angular);
      assert_layers_near(&at, &out, &expected, 1e-15, 1e-14, all[k].name);
      free(out.a);
    }
  free(expected.a);
  layers_free(&at);
}

/* Features times a power of two lie at the same angle: the same interval, and a times that power, to the last bit. */
static void magnitude_changes_no_interval(void **state) {
  (void)state;
  enum { COUNT = 64 };
  kernels all[3];
  const size_t count = every_kernel(all);
  layers_at at = layers_of(initial_model_with_weights(1024, 1e-3), 1024, COUNT);
  l2o_real g[COUNT], x[COUNT], a[COUNT], scaled_a[COUNT];
  int32_t places[COUNT], scaled_places[COUNT];
  memcpy(g, at.g, sizeof g);
  memcpy(x, at.x, sizeof x);
  for (size_t k = 0; k < count; k++) {
    memcpy(at.g, g, sizeof g);
    memcpy(at.x, x, sizeof x);
    all[k].angular_forward(at.model->table, a, places, &at.c);
    for (int e = BY_PRECISION(-960, -90); e <= BY_PRECISION(1010, 100); e += 5) {
      for (size_t i = 0; i < COUNT; i++)
        at.g[i] = (l2o_real)ldexp((double)g[i], e), at.x[i] = (l2o_real)ldexp((double)x[i], e);
      all[k].angular_forward(at.model->table, scaled_a, scaled_places, &at.c);
      assert_memory_equal(places, scaled_places, sizeof places);
      for (size_t i = 0; i < COUNT; i++)
        assert_true(scaled_a[i] == (l2o_real)ldexp((double)a[i], e));
    }
  }
  layers_free(&at);
}

/* A rough quotient may lie in the bucket behind a key that has not been passed. */
static void keys_just_before_a_bucket(void **state) {
  (void)state;
  enum { HIDDEN = 64, BUCKETS = 4 * HIDDEN, COUNT = 32 * HIDDEN };
  static double columns[HIDDEN][2], w3[HIDDEN];
  kernels all[3];
  const size_t count = every_kernel(all);
  normal_doubles(w3, HIDDEN, 8);
  for (size_t j = 0; j < HIDDEN; j++) {
    const double key = (double)(4 * j + 3) / BUCKETS * (1 - 0x1p-18), sign = j % 2 ? 1 : -1;
    columns[j][0] = sign * key, columns[j][1] = sign * (key - 1);
  }
  layers_at at = layers_of(model_of_columns(columns, w3, HIDDEN), HIDDEN, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    const double t = (double)(4 * (i % HIDDEN) + 3) / BUCKETS * (1 - 0x1p-17), s = 1 + (double)i / COUNT;
    at.g[i] = (l2o_real)((1 - t) * s), at.x[i] = (l2o_real)(t * s);
  }
  layers_out expected = by_definition(&at);
  for (size_t k = 0; k < count; k++) {
    layers_out out = by_kernels(&at, &all[k], true);
    assert_layers_near(&at, &out, &expected, 1e-14, 1e-13, all[k].name);
    free(out.a);
  }
  free(expected.a);
  layers_free(&at);
}

static void what_is_not_finite_shows(void **state) {
  (void)state;
  kernels all[3];
  const size_t count = every_kernel(all);
  layers_at at = layers_of(initial_model_with_weights(64, 1), 64, 20);
  const l2o_real infinity = (l2o_real)INFINITY;
  memcpy(at.c.w1, (double[]){1, 0.5, -0.5, 1}, sizeof at.c.w1);
  at.g[3] = (l2o_real)NAN, at.x[5] = (l2o_real)NAN, at.g[11] = infinity, at.x[17] = infinity;
  at.g[19] = at.x[19] = BY_PRECISION(1e-320, 1e-45f); /* as small as it gets */
  for (size_t k = 0; k < count; k++)
    for (int angular = 0; angular < 2; angular++) {
      layers_out out = by_kernels(&at, &all[k], angular);
      for (size_t i = 0; i < at.n; i++)
        assert_true(isnan(out.a[i]) == (i == 3 || i == 5 || i == 11 || i == 17));
      assert_true(isnan(out.dw1[0]) && isnan(out.dw1[3]));
      free(out.a);
    }
  layers_free(&at);
}

static void dead_coordinates_pass_nothing_on(void **state) {
  (void)state;
  static double columns[][2] = {{1, 2}, {3, -1}};
  l2o_model *model = model_of_columns(columns, (double[]){1, 1}, 2);
  static const l2o_real g[] = {0, -1, 0, -3}, x[] = {0, 0, -2, -4};
  outcome o = evaluate(model, g, x, 4);
  for (size_t i = 0; i < 4; i++)
    assert_true(o.p[i] == 0 && o.dg[i] == 0 && o.dx[i] == 0);
  for (size_t j = 0; j < model->parameter_count; j++)
    assert_true(o.dw[j] == 0);
  outcome_free(&o);
  l2o_model_free(model);
}

static void one_feature_sees_only_itself(void **state) {
  (void)state;
  l2o_real g[20], x[20];
  normal_reals(g, 20, 1);
  normal_reals(x, 20, 2);
  for (int which = 0; which < 2; which++)
    for (int angular = 0; angular < 2; angular++) { /* angular falls back on dense */
      char spec[128];
      snprintf(spec, sizeof spec, "math-l2o-gd:hidden=64,scale=identity,features=%s%s", which ? "x" : "grad",
               angular ? ",evaluation=angular" : "");
      l2o_model *model = model_of(spec, 0);
      randomise(model, 3, 1);
      double *w = weights_of(model);
      outcome o = evaluate(model, g, x, 20);
      for (size_t i = 0; i < 20; i++) {
        double z = fmax((double)(which ? x : g)[i] * w[0], 0), a = 0;
        for (size_t j = 0; j < 64; j++)
          a += fmax(z * w[1 + j], 0) * w[65 + j];
        assert_close(o.p[i], a, BY_PRECISION(1e-13, 1e-6), 0);
        assert_true((which ? o.dg : o.dx)[i] == 0);
      }
      assert_true(largest_of(which ? o.dx : o.dg, 20) > 0.1);
      outcome_free(&o);
      free(w);
      l2o_model_free(model);
    }
}

/* ---- output scales ---- */

static double scaled(l2o_output_scale scale, double a) {
  switch (scale) {
  case L2O_SCALE_SIGMOID2:
    return 2 / (1 + exp(-a));
  case L2O_SCALE_SIGMOID:
    return 1 / (1 + exp(-a));
  case L2O_SCALE_EXP:
    return exp(a);
  case L2O_SCALE_IDENTITY:
    return a;
  case L2O_SCALE_SOFTPLUS:
    return log(1 + exp(a));
  default:
    return 2 - 2 * exp(-a * a);
  }
}

/* Richardson's extrapolation of central differences of the formulas above: they are right to h^4. */
static double slope(double (*f)(void *context, double h), void *context, double h) {
  double wide = (f(context, 2 * h) - f(context, -2 * h)) / (4 * h), narrow = (f(context, h) - f(context, -h)) / (2 * h);
  return (4 * narrow - wide) / 3;
}

typedef struct scale_at {
  l2o_output_scale scale;
  double a;
} scale_at;
static double scale_near(void *context, double h) {
  const scale_at *s = context;
  return scaled(s->scale, s->a + h);
}

static void output_scales_and_their_slopes(void **state) {
  (void)state;
  for (l2o_output_scale scale = L2O_SCALE_SIGMOID2; scale <= L2O_SCALE_GAUSSIAN; scale++)
    for (double at = -6; at <= 6; at += 0.37) {
      l2o_real a = (l2o_real)at, p, ds;
      l2o_output_scale_slopes(&p, &ds, &a, scale, 1);
      scale_at s = {scale, (double)a};
      assert_close(p, scaled(scale, (double)a), BY_PRECISION(1e-13, 1e-6), BY_PRECISION(1e-13, 1e-7));
      assert_close(ds, slope(scale_near, &s, 1e-3), BY_PRECISION(1e-9, 1e-5), BY_PRECISION(1e-10, 1e-6));
    }
}

static void output_scales_keep_their_precision_near_zero(void **state) {
  (void)state;
  l2o_real a = (l2o_real)1e-6, p;
  l2o_output_scale_forward(&p, &a, L2O_SCALE_GAUSSIAN, 1);
  assert_close(p, 2e-12, BY_PRECISION(1e-11, 1e-6), 0); /* 2 - 2 exp(-1e-12) cancels all but four digits even in double */
  a = -30;
  l2o_output_scale_forward(&p, &a, L2O_SCALE_SOFTPLUS, 1);
  assert_close(p, 9.3576229688393e-14, 1e-6, 0);
}

static void output_scales_stay_finite_far_out(void **state) {
  (void)state;
  static const double far[] = {100, 1000, 1e30};
  for (l2o_output_scale scale = L2O_SCALE_SIGMOID2; scale <= L2O_SCALE_GAUSSIAN; scale++)
    for (size_t i = 0; i < 6; i++) {
      l2o_real a = (l2o_real)(i < 3 ? far[i] : -far[i - 3]), p, ds;
      l2o_output_scale_slopes(&p, &ds, &a, scale, 1);
      if (scale == L2O_SCALE_EXP && a > 0)
        continue; /* grows without bound, honestly */
      assert_true(isfinite(p) && isfinite(ds));
      if (scale != L2O_SCALE_IDENTITY && scale != L2O_SCALE_SOFTPLUS)
        assert_close(ds, 0, 0, 1e-12);
    }
}

/* ---- central differences of the network ---- */

#ifndef L2O_SINGLE
enum { POINTS = 12 };
typedef struct network_at {
  l2o_model *model;
  l2o_real g[POINTS], x[POINTS];
  double weight[POINTS], *w, *moved; /* L = sum of weight o p; *moved is what the difference moves */
  l2o_real *moved_real;
} network_at;

static double network_near(void *context, double h) {
  network_at *c = context;
  l2o_real p[POINTS];
  double before = c->moved ? *c->moved : (double)*c->moved_real, loss = 0;
  if (c->moved) {
    *c->moved += h;
    l2o_model_set_parameters(c->model, c->w, c->model->parameter_count);
  } else {
    *c->moved_real += h;
  }
  l2o_coordinate_mlp_forward(c->model, p, NULL, c->g, c->x, POINTS);
  for (size_t i = 0; i < POINTS; i++)
    loss += c->weight[i] * p[i];
  if (c->moved) {
    *c->moved = before;
    l2o_model_set_parameters(c->model, c->w, c->model->parameter_count);
  } else {
    *c->moved_real = before;
  }
  return loss;
}

/* Smallest |argument of a relu| that is not off behind a dead z: differences must not step across it. */
static double distance_to_kink(const double *w, size_t hidden, double u0, double u1) {
  double z0 = u0 * w[0] + u1 * w[2], z1 = u0 * w[1] + u1 * w[3], least = fmin(fabs(z0), fabs(z1));
  z0 = fmax(z0, 0), z1 = fmax(z1, 0);
  for (size_t j = 0; j < hidden && (z0 > 0 || z1 > 0); j++)
    least = fmin(least, fabs(z0 * w[4 + j] + z1 * w[4 + hidden + j]));
  return least;
}

static void check_network(const char *options, size_t features) {
  enum { HIDDEN = 16 };
  char spec[160];
  snprintf(spec, sizeof spec, "math-l2o-gd:hidden=%d,learn_scale=true,%s", HIDDEN, options);
  network_at c = {.model = model_of(spec, 0)};
  randomise(c.model, 11, 0.7);
  c.w = weights_of(c.model);
  c.w[c.model->parameter_count - 1] = 1.3; /* p_scale */
  l2o_model_set_parameters(c.model, c.w, c.model->parameter_count);
  l2o_rng rng;
  l2o_rng_seed(&rng, 12, 0, 0);
  for (size_t i = 0; i < POINTS; i++) {
    double u[2] = {0, 0};
    do
      l2o_rng_normal(&rng, u, 2);
    while (features == 2 ? distance_to_kink(c.w, HIDDEN, u[0], u[1]) < 0.01 || distance_to_kink(c.w, HIDDEN, u[1], u[0]) < 0.01
                         : fabs(u[0] * c.w[0]) < 0.01 || fabs(u[1] * c.w[0]) < 0.01);
    c.g[i] = u[0], c.x[i] = u[1];
  }
  normal_doubles(c.weight, POINTS, 5); /* the dp of evaluate() */
  outcome o = evaluate(c.model, c.g, c.x, POINTS);
  double expected[4 + 3 * HIDDEN + 1];
  for (size_t j = 0; j < c.model->parameter_count; j++) {
    c.moved = &c.w[j];
    expected[j] = slope(network_near, &c, 1e-4);
  }
  for (size_t i = 0; i < c.model->tensor_count; i++) {
    const l2o_model_tensor *t = &c.model->tensors[i];
    assert_true(largest_of(expected + t->offset, t->count) > 1e-3);
    assert_near(o.dw + t->offset, expected + t->offset, t->count, 1e-9, t->name);
  }
  c.moved = NULL;
  for (int which = 0; which < 2; which++) {
    double *actual = which ? o.dx : o.dg;
    for (size_t i = 0; i < POINTS; i++) {
      c.moved_real = which ? &c.x[i] : &c.g[i];
      expected[i] = slope(network_near, &c, 1e-4);
    }
    assert_near(actual, expected, POINTS, 1e-9, which ? "dx" : "dg");
  }
  outcome_free(&o);
  free(c.w);
  l2o_model_free(c.model);
}

static void network_against_differences(void **state) {
  (void)state;
  check_network("evaluation=angular", 2);
  check_network("evaluation=dense", 2);
  check_network("evaluation=angular,features=x+grad", 2);
  check_network("evaluation=dense,features=x+grad", 2);
  check_network("features=grad", 1);
  check_network("features=x", 1);
  static const char *const scales[] = {"sigmoid", "exp", "identity", "softplus", "gaussian"};
  for (size_t i = 0; i < 5; i++) {
    char options[64];
    snprintf(options, sizeof options, "scale=%s", scales[i]);
    check_network(options, 2);
  }
}

static void backward_adds_to_what_is_there(void **state) {
  (void)state;
  l2o_model *model = model_of("math-l2o-gd:hidden=8", 0);
  randomise(model, 1, 1);
  const size_t sums = model->type->sum_len(model);
  double *once = calloc(sums, sizeof *once), *twice = calloc(sums, sizeof *twice);
  l2o_real g[5], x[5], p[5], dp[5], dg[2][5] = {{0}}, dx[2][5] = {{0}};
  l2o_real *record = malloc(l2o_coordinate_record_len(5) * sizeof *record);
  normal_reals(g, 5, 1);
  normal_reals(x, 5, 2);
  normal_reals(dp, 5, 3);
  l2o_coordinate_mlp_forward(model, p, record, g, x, 5);
  l2o_coordinate_mlp_backward(model, once, dg[0], dx[0], dp, p, record, g, x, 5);
  for (int i = 0; i < 2; i++)
    l2o_coordinate_mlp_backward(model, twice, dg[1], dx[1], dp, p, record, g, x, 5);
  for (size_t i = 0; i < sums; i++)
    assert_close(twice[i], 2 * once[i], 1e-15, 0);
  for (size_t i = 0; i < 5; i++)
    assert_true(dg[1][i] == 2 * dg[0][i] && dx[1][i] == 2 * dx[0][i]);
  /* features as constants: nothing for them, the same for the weights */
  memset(twice, 0, sums * sizeof *twice);
  l2o_coordinate_mlp_backward(model, twice, NULL, NULL, dp, p, record, g, x, 5);
  assert_memory_equal(once, twice, sums * sizeof *once);
  free(record);
  free(once);
  free(twice);
  l2o_model_free(model);
}

/* ---- one step of every learned rule ---- */

enum { N = 6 };
typedef struct step_at {
  const l2o_solver *solver;
  l2o_iterate it;
  l2o_model *model;
  l2o_real x[N], state[4 * N], *tape, *moved_real;
  double *w, *moved, weight_x[N], weight_state[4 * N];
  size_t state_len;
} step_at;

static void take_step(step_at *c, l2o_real *tape) {
  l2o_stop stop = L2O_STOP_NONE;
  memcpy(c->it.x, c->x, sizeof c->x);
  memcpy(c->it.state, c->state, c->state_len * sizeof *c->state);
  c->it.k = 3;
  c->it.has_gradient = c->it.pending = false;
  assert_status(c->solver->step(&c->it, tape, &stop), L2O_OK, NULL);
}

static double step_near(void *context, double h) {
  step_at *c = context;
  double loss = 0;
  if (c->moved) {
    double before = *c->moved;
    *c->moved += h;
    l2o_model_set_parameters(c->model, c->w, c->model->parameter_count);
    take_step(c, NULL);
    *c->moved = before;
    l2o_model_set_parameters(c->model, c->w, c->model->parameter_count);
  } else {
    double before = *c->moved_real;
    *c->moved_real += h;
    take_step(c, NULL);
    *c->moved_real = before;
  }
  for (size_t i = 0; i < N; i++)
    loss += c->weight_x[i] * c->it.x[i];
  for (size_t i = 0; i < c->state_len; i++)
    loss += c->weight_state[i] * c->it.state[i];
  return loss;
}

static void check_step(const l2o_solver *solver) {
  char spec[96];
  l2o_problem problem = sampled("quadratic:n=6,condition=10", 4, 0);
  snprintf(spec, sizeof spec, "%s:hidden=8,learn_scale=true", solver->model_kind);
  double options[L2O_OPTIONS_MAX] = {0};
  step_at c = {.solver = solver, .model = model_of(spec, 0)};
  randomise(c.model, 21, 0.8);
  c.w = weights_of(c.model);
  c.it = (l2o_iterate){.problem = &problem, .model = c.model, .options = options, .n = N};
  assert_status(l2o_iterate_base_step(&c.it, solver, NULL), L2O_OK, NULL);
  c.it.step *= 0.8;
  l2o_arena arena = {0};
  for (int pass = 0; pass < 2; pass++) {
    l2o_iterate_layout(&c.it, solver, true, &arena);
    L2O_TAKE(&arena, c.tape, solver->tape_len(&c.it));
    if (pass == 0)
      assert_true(l2o_arena_new(&arena));
  }
  c.state_len = solver->state_len ? solver->state_len(&c.it) : 0;
  assert_true(c.state_len <= 4 * N);
  normal_reals(c.x, N, 22);
  normal_reals(c.state, c.state_len, 23);
  normal_doubles(c.weight_x, N, 24);
  normal_doubles(c.weight_state, c.state_len, 25);
  if (c.state_len % N == 1) { /* the last entry is the momentum's t, which depends on nothing */
    c.state[c.state_len - 1] = 2.5;
    c.weight_state[c.state_len - 1] = 0;
  }
  take_step(&c, c.tape);
  l2o_real dx[N], dstate[4 * N];
  memcpy(dx, c.weight_x, sizeof dx);
  memcpy(dstate, c.weight_state, sizeof dstate);
  l2o_real dg[N], hv[N];
  double *sum = calloc(c.model->type->sum_len(c.model), sizeof *sum), *dw = malloc(c.model->parameter_count * sizeof *dw),
         expected[64];
  l2o_lane lane = {.it = c.it, .dx = dx, .dstate = dstate, .dg = dg, .hv = hv, .sum = sum};
  assert_status(l2o_step_back(&lane, solver, c.tape, L2O_STOP_GRADIENT_NONE), L2O_OK, NULL);
  c.model->type->gradient(c.model, dw, sum);
  for (size_t j = 0; j < c.model->parameter_count; j++) {
    c.moved = &c.w[j];
    expected[j] = slope(step_near, &c, 1e-5);
  }
  assert_near(dw, expected, c.model->parameter_count, 1e-8, "dw");
  c.moved = NULL;
  for (size_t i = 0; i < N; i++) {
    c.moved_real = &c.x[i];
    expected[i] = slope(step_near, &c, 1e-5);
  }
  assert_near(dx, expected, N, 1e-8, "dx");
  for (size_t i = 0; i < c.state_len / N * N; i++) {
    c.moved_real = &c.state[i];
    expected[i] = slope(step_near, &c, 1e-5);
  }
  if (c.state_len)
    assert_near(dstate, expected, c.state_len / N * N, 1e-8, "dstate");
  free(arena.base);
  free(sum);
  free(dw);
  free(c.w);
  l2o_model_free(c.model);
  l2o_problem_free(&problem);
}

static void one_step_against_differences(void **state) {
  (void)state;
  size_t learned = 0;
  for (const l2o_solver *const *s = l2o_solver_list(); *s; s++)
    if ((*s)->step_vjp && strncmp((*s)->name, "math-l2o", 8) == 0) { /* those of this network */
      check_step(*s);
      learned++;
    }
  assert_true(learned == 2);
}

/* ---- a whole unroll ---- */

enum { BATCH = 3, HIDDEN = 8, PARAMETERS = 4 + 3 * HIDDEN + 1, HORIZON = 5 };

/* The rules written down once more, for one instance. The inputs of the network come from `features`, if that is given: constants
 * recorded at other weights (style.md (d)). Otherwise they are where the rule is, and are noted in `recorded`. */
typedef struct replay {
  const l2o_problem *problem;
  double step;
  bool nesterov;
  double x[N], y[N], t;
} replay;

static double network(const double *w, double u0, double u1) {
  double z0 = fmax(u0 * w[0] + u1 * w[2], 0), z1 = fmax(u0 * w[1] + u1 * w[3], 0), a = 0;
  for (size_t j = 0; j < HIDDEN; j++)
    a += fmax(z0 * w[4 + j] + z1 * w[4 + HIDDEN + j], 0) * w[4 + 2 * HIDDEN + j];
  return w[PARAMETERS - 1] * 2 / (1 + exp(-a));
}

static double replay_step(replay *r, const double *w, double (*features)[2], double (*recorded)[2]) {
  double g[N], u[N][2];
  const double *at = r->nesterov ? r->y : r->x;
  gradient_at(r->problem, g, at);
  for (size_t i = 0; i < N; i++) {
    u[i][0] = features ? features[i][0] : g[i];
    u[i][1] = features ? features[i][1] : at[i];
  }
  if (recorded)
    memcpy(recorded, u, sizeof u);
  const double next = (1 + sqrt(1 + 4 * r->t * r->t)) / 2, momentum = (r->t - 1) / next;
  for (size_t i = 0; i < N; i++) {
    double x = at[i] - r->step * network(w, u[i][0], u[i][1]) * g[i];
    r->y[i] = x + momentum * (x - r->x[i]);
    r->x[i] = x;
  }
  r->t = next;
  return value_at(r->problem, r->x);
}

typedef struct unroll_at {
  const l2o_problem *problems;
  replay start[BATCH];
  size_t steps;
  l2o_loss loss;
  l2o_reduction reduction;
  double w[PARAMETERS], *moved, u[BATCH][HORIZON][N][2];
  bool constant_features;
} unroll_at;

static double replay_loss(unroll_at *c, bool record, replay *end) {
  double loss = 0;
  for (size_t b = 0; b < BATCH; b++) {
    replay r = c->start[b];
    for (size_t j = 1; j <= c->steps; j++) {
      double(*u)[2] = c->u[b][j - 1];
      double f = replay_step(&r, c->w, c->constant_features && !record ? u : NULL, record ? u : NULL);
      double share = c->loss == L2O_LOSS_MEAN       ? 1.0 / (double)c->steps
                     : c->loss == L2O_LOSS_WEIGHTED ? 2.0 * (double)j / (double)(c->steps * (c->steps + 1))
                                                    : (j == c->steps);
      loss += share * f;
    }
    if (end)
      end[b] = r;
  }
  return c->reduction == L2O_REDUCTION_MEAN ? loss / BATCH : loss;
}

static double unroll_near(void *context, double h) {
  unroll_at *c = context;
  double before = *c->moved;
  *c->moved += h;
  double loss = replay_loss(c, false, NULL);
  *c->moved = before;
  return loss;
}

static l2o_status sample_for_unroll(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)seed, (void)diag;
  *out = ((const l2o_problem *)family->data)[index];
  return L2O_OK;
}

static void check_unroll(const char *rule, const l2o_problem *problems, double fixed_step, const l2o_train_settings *settings,
                         uint64_t seed) {
  char spec[96], options[64];
  const l2o_solver *solver = solver_named(rule);
  const l2o_family family = {.struct_size = sizeof family, .name = "given", .n = N, .sample = sample_for_unroll, .data = problems};
  snprintf(spec, sizeof spec, "%s:hidden=%d,learn_scale=true", rule, HIDDEN);
  snprintf(options, sizeof options, "step=%.17g", fixed_step);
  l2o_model *model = model_of(spec, 0);
  randomise(model, seed, 0.6);
  l2o_train_settings s = *settings;
  s.batch = BATCH, s.horizon = HORIZON, s.optimizer = L2O_OPTIMIZER_SGD, s.learning_rate = 0, s.threads = 1;
  s.options = fixed_step > 0 ? options : NULL;
  l2o_trainer *trainer;
  l2o_diag diag = {""};
  assert_status(l2o_trainer_new(&trainer, model, solver, &family, &s, &diag), L2O_OK, &diag);

  unroll_at c = {.problems = problems, .loss = s.loss, .reduction = s.reduction};
  c.constant_features = s.stop_gradient == L2O_STOP_GRADIENT_FEATURES;
  double *w = weights_of(model), constant;
  memcpy(c.w, w, sizeof c.w);
  free(w);
  for (size_t b = 0; b < BATCH; b++) {
    replay *r = &c.start[b];
    *r = (replay){.problem = &problems[b], .step = fixed_step, .nesterov = strstr(rule, "nesterov") != NULL, .t = 1};
    if (fixed_step == 0) {
      assert_status(l2o_problem_lipschitz(&problems[b], &constant), L2O_OK, NULL);
      r->step = 0.9999 / constant;
    }
    assert_status(l2o_problem_start(&problems[b], r->x), L2O_OK, NULL);
    memcpy(r->y, r->x, sizeof r->y);
  }
  for (size_t done = 0; done < HORIZON;) { /* segment by segment */
    const size_t unroll = s.unroll ? s.unroll : HORIZON;
    c.steps = HORIZON - done < unroll ? HORIZON - done : unroll;
    replay end[BATCH];
    double loss, gradient[PARAMETERS], expected[PARAMETERS], expected_loss = replay_loss(&c, true, end);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
    assert_close(loss, expected_loss, 1e-12, 0);
    for (size_t j = 0; j < PARAMETERS; j++) {
      c.moved = &c.w[j];
      expected[j] = slope(unroll_near, &c, 1e-5);
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
      const l2o_model_tensor *t = &model->tensors[i];
      assert_near(gradient + t->offset, expected + t->offset, t->count, 1e-7, t->name);
    }
    l2o_train_record record;
    assert_status(l2o_trainer_step(trainer, &record, &diag), L2O_OK, &diag); /* learning rate 0: the next segment */
    assert_true(record.loss == loss);
    memcpy(c.start, end, sizeof end);
    done += c.steps;
  }
  l2o_trainer_free(trainer);
  l2o_model_free(model);
}

static void whole_unrolls_against_differences(void **state) {
  (void)state;
  l2o_problem problems[BATCH];
  for (size_t b = 0; b < BATCH; b++)
    problems[b] = sampled("qp:n=6,m=4", 31, b);
  /* the trainer frees what a family gives it: let it have plain copies that own nothing */
  l2o_problem_ops plain = *problems[0].ops;
  plain.free = NULL;
  l2o_problem lent[BATCH];
  for (size_t b = 0; b < BATCH; b++)
    lent[b] = (l2o_problem){.ops = &plain, .data = problems[b].data, .n = N};
  static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov"};
  static const size_t unrolls[] = {0, 2, 3, 1};
  for (size_t rule = 0; rule < 2; rule++)
    for (l2o_loss loss = L2O_LOSS_LAST; loss <= L2O_LOSS_WEIGHTED; loss++)
      for (int mode = L2O_STOP_GRADIENT_FEATURES; mode <= L2O_STOP_GRADIENT_NONE; mode++)
        for (size_t u = 0; u < 4; u++) {
          l2o_train_settings s = l2o_train_settings_default();
          s.loss = loss, s.stop_gradient = (l2o_stop_gradient)mode, s.unroll = unrolls[u];
          s.reduction = u % 2 ? L2O_REDUCTION_SUM : L2O_REDUCTION_MEAN;
          check_unroll(rules[rule], lent, 0, &s, 40 + u);
        }
  for (size_t b = 0; b < BATCH; b++)
    l2o_problem_free(&problems[b]);
}

/* f(x) = sum of x_i^4 / 4 + (x_i - x_{i+1})^2 / 2 - i x_i / 10: neither quadratic nor with a Hessian-vector product of its own. */
static l2o_status quartic(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f += x[i] * x[i] * x[i] * x[i] / 4 - (double)i * x[i] / 10;
    g[i] = x[i] * x[i] * x[i] - (double)i / 10;
  }
  for (size_t i = 0; i + 1 < p->n; i++) {
    double d = x[i] - x[i + 1];
    *f += d * d / 2;
    g[i] += d;
    g[i + 1] -= d;
  }
  return L2O_OK;
}
static l2o_status quartic_start(const l2o_problem *p, l2o_real *x) {
  for (size_t i = 0; i < p->n; i++)
    x[i] = 0.3 + 0.2 * (double)i + 0.1 * (double)(p->data != NULL);
  return L2O_OK;
}

static void unrolls_without_a_hessian_vector_product(void **state) {
  (void)state;
  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "quartic", .gradient = quartic, .start = quartic_start};
  const l2o_problem problems[BATCH] = {{&ops, NULL, N}, {&ops, &ops, N}, {&ops, NULL, N}};
  for (int mode = L2O_STOP_GRADIENT_FEATURES; mode <= L2O_STOP_GRADIENT_NONE; mode++) {
    l2o_train_settings s = l2o_train_settings_default();
    s.loss = L2O_LOSS_MEAN, s.stop_gradient = (l2o_stop_gradient)mode, s.unroll = 3;
    check_unroll("math-l2o-gd", problems, 0.07, &s, 50);
    check_unroll("math-l2o-nesterov", problems, 0.07, &s, 50);
  }
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(angular_equals_dense_for_random_weights),
      cmocka_unit_test(angular_equals_dense_at_the_initialisation),
      cmocka_unit_test(ties_are_exact),
      cmocka_unit_test(crowded_angles),
      cmocka_unit_test(kernels_are_exact),
      cmocka_unit_test(coordinates_do_not_see_each_other),
      cmocka_unit_test(ties_hand_nothing_on),
      cmocka_unit_test(equal_angles),
      cmocka_unit_test(magnitude_changes_no_interval),
      cmocka_unit_test(keys_just_before_a_bucket),
      cmocka_unit_test(what_is_not_finite_shows),
      cmocka_unit_test(dead_coordinates_pass_nothing_on),
      cmocka_unit_test(one_feature_sees_only_itself),
      cmocka_unit_test(output_scales_and_their_slopes),
      cmocka_unit_test(output_scales_keep_their_precision_near_zero),
      cmocka_unit_test(output_scales_stay_finite_far_out),
#ifndef L2O_SINGLE
      cmocka_unit_test(network_against_differences),
      cmocka_unit_test(backward_adds_to_what_is_there),
      cmocka_unit_test(one_step_against_differences),
      cmocka_unit_test(whole_unrolls_against_differences),
      cmocka_unit_test(unrolls_without_a_hessian_vector_product),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
