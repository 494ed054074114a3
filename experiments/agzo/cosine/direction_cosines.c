/* SPDX-License-Identifier: BSD-3-Clause */
/* direction_cosines SPEC SEED START|- DRAWS RULE[:OPTIONS]...
 *
 * How near the directions of zeroth-order rules come to the gradient: on instance 0 of the family SPEC, at its start or at the
 * weights of the file START, over all of its samples. A rule's step without its length is -c D; |cos(D, G)| is averaged over so
 * many steps, whose lengths are too small to matter. Rows of CSV: rule, layer (a block's name, `linear` for all linear blocks
 * together, `all` for everything), mean, its standard error, and for one block or `linear` the formula e psi(m),  e^2 = sum |G_l
 * A_l|^2 / sum |G_l|^2,  psi(m) = Gamma(m/2) / (sqrt(pi) Gamma((m+1)/2)),  m = sum rows_l r, with the dominant right singular
 * subspaces A_l of the inputs, by eigenvectors, for the rule agzo, and e = 1, m = the entries for mezo. */
#include <gsl/gsl_eigen.h>
#include <gsl/gsl_sf_gamma.h>
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double STEP = 1e-9; /* x moves by about 1e-6 of itself in all, and its differences keep six digits */

typedef struct subspace { /* of the input of a group of linear blocks */
  gsl_matrix *gram, *vectors;
  gsl_vector *values;
} subspace;

static l2o_problem problem;
static const l2o_block *blocks;
static size_t count;
static l2o_real *x, *g;
static subspace *spaces; /* (count) */
static l2o_diag diag;

static void must(l2o_status status) {
  if (status == L2O_OK)
    return;
  fprintf(stderr, "direction_cosines: %s\n", diag.text[0] ? diag.text : l2o_strerror(status));
  exit(1);
}

static void *get(size_t number, size_t size) {
  void *p = calloc(number + 1, size);
  must(p ? L2O_OK : L2O_ERR_NOMEM);
  return p;
}

/* X'X of every input */
static l2o_status add_gram(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t tokens, size_t stride) {
  const size_t n = blocks[block].columns;
  subspace *s = &spaces[block];
  (void)context;
  if (rows)
    return L2O_OK;
  s->gram = gsl_matrix_calloc(n, n);
  s->vectors = gsl_matrix_alloc(n, n);
  s->values = gsl_vector_alloc(n);
  for (size_t t = 0; t < tokens; t++)
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++)
        *gsl_matrix_ptr(s->gram, i, j) += (double)X[t * stride + i] * (double)X[t * stride + j];
  gsl_eigen_symmv_workspace *w = gsl_eigen_symmv_alloc(n);
  gsl_eigen_symmv(s->gram, s->values, s->vectors, w);
  gsl_eigen_symmv_sort(s->values, s->vectors, GSL_EIGEN_SORT_VAL_DESC);
  gsl_eigen_symmv_free(w);
  return L2O_OK;
}

static void prepare(const char *spec, const char *seed, const char *start) {
  l2o_family *family;
  double f;
  must(l2o_family_new(&family, spec, &diag));
  must(l2o_family_sample(family, &problem, strtoull(seed, NULL, 10), L2O_PURPOSE_EVAL, 0, &diag));
  l2o_family_free(family);
  blocks = l2o_problem_blocks(&problem, &count);
  must(blocks ? L2O_OK : L2O_ERR_NOTSUP);
  const size_t samples = l2o_problem_summands(&problem), own = l2o_problem_work_len(&problem);
  const size_t forward = l2o_problem_forward_work_len(&problem, samples);
  l2o_real *work = get(own > forward ? own : forward, sizeof *work);
  x = get(problem.n, sizeof *x);
  g = get(problem.n, sizeof *g);
  spaces = get(count, sizeof *spaces);
  must(strcmp(start, "-") == 0 ? l2o_problem_start(&problem, x) : l2o_weights_load(&problem, x, start, &diag));
  must(l2o_problem_gradient(&problem, &f, g, x, work));
  const l2o_pass pass = {.watch = add_gram};
  must(l2o_problem_forward(&problem, &f, x, NULL, samples, &pass, work));
  free(work);
}

/* |G A|_F^2 of a linear block for the r dominant directions */
static double captured(size_t b, size_t r) {
  const subspace *s = &spaces[blocks[b].input];
  double sum = 0;
  for (size_t i = 0; i < blocks[b].rows; i++)
    for (size_t k = 0; k < r && k < blocks[b].columns; k++) {
      double along = 0;
      for (size_t j = 0; j < blocks[b].columns; j++)
        along += (double)g[blocks[b].offset + i * blocks[b].columns + j] * gsl_matrix_get(s->vectors, j, k);
      sum += along * along;
    }
  return sum;
}

static double psi(double m) {
  return exp(gsl_sf_lngamma(m / 2) - gsl_sf_lngamma((m + 1) / 2)) / sqrt(acos(-1.0));
}

/* What a row is about: one block, all linear ones (count), everything (count + 1). */
static bool belongs(size_t b, size_t part) {
  return part == count + 1 || (part == count ? blocks[b].kind == L2O_BLOCK_LINEAR : b == part);
}

/* The formula for a part of a rule's direction; not-a-number where there is none. */
static double expected(size_t part, bool guided, size_t rank) {
  double energy = 0, all = 0, entries = 0;
  if (part == count + 1 || (part < count && blocks[part].kind != L2O_BLOCK_LINEAR))
    return (double)NAN;
  for (size_t b = 0; b < count; b++) {
    if (!belongs(b, part))
      continue;
    const size_t size = blocks[b].rows * blocks[b].columns;
    double squares = 0;
    for (size_t i = 0; i < size; i++)
      squares += (double)g[blocks[b].offset + i] * (double)g[blocks[b].offset + i];
    all += squares;
    energy += guided ? captured(b, rank) : squares;
    entries += guided ? (double)(blocks[b].rows * rank) : (double)size;
  }
  return sqrt(energy / all) * psi(entries);
}

/* |cos| of the step from a to b and g */
static double cosine(const l2o_real *a, const l2o_real *b, size_t part) {
  double product = 0, step = 0, gradient = 0;
  for (size_t at = 0; at < count; at++)
    for (size_t i = blocks[at].offset; belongs(at, part) && i < blocks[at].offset + blocks[at].rows * blocks[at].columns; i++) {
      const double d = (double)b[i] - (double)a[i], slope = (double)g[i];
      product += d * slope, step += d * d, gradient += slope * slope;
    }
  return step > 0 && gradient > 0 ? fabs(product) / sqrt(step * gradient) : 0;
}

static void measure(const char *label, size_t draws) {
  char name[40], options[300];
  const char *own = strchr(label, ':'), *rank = strstr(label, "rank=");
  const bool guided = strncmp(label, "agzo", 4) == 0 && !strstr(label, "random"), plain = strncmp(label, "mezo", 4) == 0;
  double *sum = get(count + 2, sizeof *sum), *squares = get(count + 2, sizeof *squares);
  l2o_real *before = get(problem.n, sizeof *before);
  l2o_settings settings = l2o_settings_default();
  l2o_run *run;
  l2o_stop stop = L2O_STOP_NONE;
  snprintf(name, sizeof name, "%.*s", (int)strcspn(label, ":"), label);
  snprintf(options, sizeof options, "step=%g,batch=1000000000%s%s", STEP, own ? "," : "", own ? own + 1 : "");
  settings.options = options;
  const l2o_solver *solver = l2o_solver_find(name, &diag);
  must(solver ? L2O_OK : L2O_ERR_ARG);
  must(l2o_run_new(&run, solver, NULL, &problem, &settings, &diag));
  must(l2o_run_start(run, x));
  for (size_t draw = 0; draw < draws; draw++) {
    memcpy(before, l2o_run_x(run), problem.n * sizeof *before);
    must(l2o_run_step(run, &stop));
    must(stop ? L2O_ERR_NUMERIC : L2O_OK);
    for (size_t part = 0; part < count + 2; part++) {
      const double c = cosine(before, l2o_run_x(run), part);
      sum[part] += c;
      squares[part] += c * c;
    }
  }
  for (size_t part = 0; part < count + 2; part++) {
    const double n = (double)draws, mean = sum[part] / n, variance = squares[part] / n - mean * mean;
    const double formula = guided || plain ? expected(part, guided, rank ? strtoul(rank + 5, NULL, 10) : 1) : (double)NAN;
    printf("\"%s\",%s,%.6g,%.3g,%.6g\n", label,
           part < count    ? blocks[part].name
           : part == count ? "linear"
                           : "all",
           mean, sqrt(fmax(variance, 0) / n), formula);
  }
  l2o_run_free(run);
  free(before);
  free(sum);
  free(squares);
}

int main(int argc, char **argv) {
  if (argc < 6) {
    fputs("use: direction_cosines SPEC SEED START|- DRAWS RULE...\n", stderr);
    return 2;
  }
  prepare(argv[1], argv[2], argv[3]);
  puts("rule,layer,cosine,error,formula");
  for (int i = 5; i < argc; i++)
    measure(argv[i], strtoul(argv[4], NULL, 10));
  for (size_t b = 0; b < count; b++)
    if (spaces[b].gram) {
      gsl_matrix_free(spaces[b].gram);
      gsl_matrix_free(spaces[b].vectors);
      gsl_vector_free(spaces[b].values);
    }
  l2o_problem_free(&problem);
  free(spaces);
  free(x);
  free(g);
  return 0;
}
