/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates of single users: user_rates CHANNELS.safetensors ITERATIONS STREAMS SOLVER[:options] [MODEL] prints, for every channel of
 * the file and every user, a line "channel,user,rate" in bit/s/Hz, where a solver ends. A user's rate is what the objective loses
 * when the weight of the user grows from 1 to 2:  f = -sum_u a_u R_u. */
#include <l2o/l2o.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what) {
  fprintf(stderr, "user_rates: %s\n", what);
  return 1;
}

/* Rates of all users at x, from the channels H of a one-row file. */
static l2o_status print_rates(size_t channel, const l2o_real *H, const l2o_sum_rate_sizes *sizes, double noise, double power,
                              const l2o_real *x, l2o_diag *diag) {
  const size_t users = sizes->cells * sizes->users;
  l2o_real weights[256];
  double f = 0, one;
  for (size_t u = 0; u <= users; u++) {
    l2o_problem p;
    for (size_t w = 0; w < users; w++)
      weights[w] = 1 + (w + 1 == u);
    l2o_status status = l2o_sum_rate_new(&p, H, weights, NULL, noise, power, sizes, diag);
    if (status)
      return status;
    l2o_real *work = malloc((l2o_problem_work_len(&p) + 1) * sizeof *work);
    status = work ? l2o_problem_value(&p, &one, x, work) : L2O_ERR_NOMEM;
    free(work);
    l2o_problem_free(&p);
    if (status)
      return status;
    if (u == 0)
      f = one;
    else
      printf("%zu,%zu,%.6f\n", channel, u - 1, f - one);
  }
  return L2O_OK;
}

/* The tensor of that name as reals. */
static l2o_real *read(const l2o_tensor_file *file, const char *name, const l2o_tensor **tensor) {
  const l2o_tensor *t = *tensor = l2o_tensor_file_find(file, name);
  double *values = t ? malloc((t->count + 1) * sizeof *values) : NULL;
  l2o_real *out = t ? malloc((t->count + 1) * sizeof *out) : NULL;
  if (!values || !out)
    return NULL;
  l2o_tensor_to_double(t, values);
  for (size_t i = 0; i < t->count; i++)
    out[i] = (l2o_real)values[i];
  free(values);
  return out;
}

int main(int count, char **words) {
  if (count < 5)
    return fail("usage: user_rates CHANNELS.safetensors ITERATIONS STREAMS SOLVER[:options] [MODEL]");
  l2o_diag diag = {""};
  l2o_tensor_file *file;
  l2o_family *family;
  l2o_model *model = NULL;
  char name[64] = "";
  const char *colon = strchr(words[4], ':');
  snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - words[4]) : 63, words[4]);
  const l2o_solver *solver = l2o_solver_find(name, &diag);
  if (!solver || l2o_tensor_file_open(&file, words[1], &diag) || l2o_family_open(&family, "sum-rate", words[1], &diag) ||
      (count > 5 && l2o_model_load(&model, words[5], NULL, &diag)))
    return fail(diag.text);
  const l2o_tensor *shape, *other;
  l2o_real *H = read(file, "H", &shape), *noise = read(file, "noise", &other), *power = read(file, "power", &other);
  if (!H || !noise || !power || shape->rank != 6)
    return fail("the file holds no channels H, noise and power");
  const size_t users = shape->shape[1], cells = shape->shape[2], each = shape->count / shape->shape[0];
  const l2o_sum_rate_sizes sizes = {.cells = cells,
                                    .users = users / cells,
                                    .rx = shape->shape[3],
                                    .tx = shape->shape[4],
                                    .streams = (size_t)strtoul(words[3], NULL, 10)};
  if (users > 256)
    return fail("more than 256 users");
  l2o_settings settings = l2o_settings_default();
  settings.options = colon ? colon + 1 : NULL;
  settings.iterations = (size_t)strtoul(words[2], NULL, 10);
  for (size_t i = 0; i < shape->shape[0]; i++) {
    l2o_problem p;
    const size_t row = other->count > 1 ? i : 0;
    if (l2o_family_sample(family, &p, 0, L2O_PURPOSE_EVAL, i, &diag))
      return fail(diag.text);
    l2o_real *x = malloc(p.n * sizeof *x);
    if (!x || l2o_problem_start(&p, x) || l2o_minimize(solver, model, &p, x, NULL, &settings, &diag) ||
        print_rates(i, H + i * each, &sizes, (double)noise[row], (double)power[row], x, &diag))
      return fail(diag.text);
    free(x);
    l2o_problem_free(&p);
  }
  free(H), free(noise), free(power);
  l2o_model_free(model);
  l2o_family_free(family);
  l2o_tensor_file_free(file);
  return 0;
}
