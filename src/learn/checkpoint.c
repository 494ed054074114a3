/* SPDX-License-Identifier: BSD-3-Clause */
/* Checkpoints: a safetensors file with everything that the next training step depends on, in double, so that a resumed run equals
 * an unbroken one bit for bit. */
#include "core/diag.h"
#include "core/linalg.h"
#include "learn/trainer.h"
#include <l2o/tensor_file.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "1";
static const char *const PRECISION = sizeof(l2o_real) == sizeof(float) ? "single" : "double";

/* The counters of l2o_progress, by name. */
#define COUNTERS(X) X(step) X(updates) X(round) X(position) X(rejected) X(rejected_run)

static l2o_status add_reals(l2o_tensor_writer *w, const char *name, const l2o_real *values, size_t rows, size_t columns) {
  const size_t shape[2] = {rows, columns};
  double *copy = malloc((rows * columns + 1) * sizeof *copy);
  if (!copy)
    return L2O_ERR_NOMEM;
  for (size_t i = 0; i < rows * columns; i++)
    copy[i] = (double)values[i];
  l2o_status status = l2o_tensor_writer_add(w, name, L2O_F64, copy, shape, 2);
  free(copy);
  return status;
}

l2o_status l2o_trainer_save(const l2o_trainer *t, const char *path, const char *config_id, l2o_diag *diag) {
  const l2o_progress *p = &t->progress;
  char seed[32];
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->settings.seed);
  l2o_tensor_writer *w;
  l2o_status status = l2o_tensor_writer_new(&w);
  const char *const metadata[][2] = {{"l2o.checkpoint", FORMAT},
                                     {"l2o.model", l2o_model_spec(t->model)},
                                     {"l2o.precision", PRECISION},
                                     {"l2o.solver", t->solver->name},
                                     {"seed", seed},
                                     {"config", config_id ? config_id : ""}};
  for (size_t i = 0; i < sizeof metadata / sizeof *metadata && !status; i++)
    status = l2o_tensor_writer_metadata(w, metadata[i][0], metadata[i][1]);
#define ADD(name)                                                                                                                  \
  if (!status) {                                                                                                                   \
    double value = (double)p->name;                                                                                                \
    status = l2o_tensor_writer_add(w, #name, L2O_I64, &value, NULL, 0);                                                            \
  }
  COUNTERS(ADD)
#undef ADD
  const struct {
    const char *name;
    const double *values;
  } arrays[] = {{"weights", t->weights}, {"moment1", t->moment1}, {"moment2", t->moment2}, {"best.weights", t->best}};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !status; i++)
    status = l2o_tensor_writer_add(w, arrays[i].name, L2O_F64, arrays[i].values, &t->parameters, 1);
  if (!status)
    status = l2o_tensor_writer_add(w, "best.objective", L2O_F64, &p->best, NULL, 0);
  if (!status && p->position) { /* in the middle of a horizon */
    status = add_reals(w, "x", t->x, t->settings.batch, t->n);
    if (!status)
      status = add_reals(w, "state", t->state, t->settings.batch, t->state_len);
  }
  if (status)
    l2o_fail(diag, status, "%s: checkpoint not written: %s", path, l2o_strerror(status));
  else
    status = l2o_tensor_writer_save(w, path, diag);
  l2o_tensor_writer_free(w);
  return status;
}

/* Reads `count` finite doubles ("best.objective" may be infinite). */
static l2o_status read(const l2o_tensor_file *file, const char *name, double *out, size_t count, const char *path, l2o_diag *diag) {
  const l2o_tensor *tensor = l2o_tensor_file_find(file, name);
  if (!tensor)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: the checkpoint lacks '%s'", path, name);
  if (tensor->count != count)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' has %zu entries, %zu expected", path, name, tensor->count, count);
  l2o_tensor_to_double(tensor, out);
  for (size_t i = 0; i < count; i++)
    if (isnan(out[i]) || (isinf(out[i]) && strcmp(name, "best.objective") != 0))
      return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: '%s' holds a value that is not finite", path, name);
  return L2O_OK;
}

static l2o_status check_metadata(const l2o_tensor_file *file, const char *key, const char *expected, const char *what,
                                 const char *path, l2o_diag *diag) {
  const char *text = l2o_tensor_file_metadata(file, key);
  if (!text)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: not a checkpoint of libl2o (metadata '%s' is missing)", path, key);
  return strcmp(text, expected) == 0 ? L2O_OK : l2o_fail(diag, L2O_ERR_ARG, "%s: the checkpoint belongs to another %s", path, what);
}

l2o_status l2o_trainer_resume(l2o_trainer *t, const char *path, const char *config_id, l2o_diag *diag) {
  l2o_tensor_file *file;
  l2o_status status = l2o_tensor_file_open(&file, path, diag);
  if (status)
    return status;
  const size_t P = t->parameters, points = t->settings.batch * t->n, states = t->settings.batch * t->state_len;
  l2o_progress p = {0};
  double *block = calloc(4 * P + points + states + 1, sizeof *block);
  double *x = block ? block + 4 * P : NULL, *state = block ? x + points : NULL;
  const struct {
    const char *key, *expected, *what;
  } facts[] = {{"l2o.checkpoint", FORMAT, "format"},
               {"l2o.solver", t->solver->name, "rule"},
               {"l2o.model", l2o_model_spec(t->model), "model"},
               {"l2o.precision", PRECISION, "precision"},
               {"config", config_id ? config_id : "", "configuration"}};
  for (size_t i = 0; i < sizeof facts / sizeof *facts && !status; i++)
    status = check_metadata(file, facts[i].key, facts[i].expected, facts[i].what, path, diag);
  if (!status && !block)
    status = l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
#define READ(name)                                                                                                                 \
  if (!status) {                                                                                                                   \
    double value;                                                                                                                  \
    status = read(file, #name, &value, 1, path, diag);                                                                             \
    if (!status && !(value >= 0 && value < 9e15))                                                                                  \
      status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: '" #name "' is not a count", path);                                             \
    if (!status)                                                                                                                   \
      p.name = (size_t)value;                                                                                                      \
  }
  COUNTERS(READ)
#undef READ
  static const char *const names[] = {"weights", "moment1", "moment2", "best.weights"};
  for (size_t i = 0; i < 4 && !status; i++)
    status = read(file, names[i], block + i * P, P, path, diag);
  if (!status)
    status = read(file, "best.objective", &p.best, 1, path, diag);
  if (!status && p.position >= t->settings.horizon)
    status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: 'position' is beyond the horizon", path);
  if (!status && p.position) {
    status = read(file, "x", x, points, path, diag);
    if (!status)
      status = read(file, "state", state, states, path, diag);
  }
  if (!status) { /* nothing was touched up to here */
    status = l2o_model_set_parameters(t->model, block, P);
    if (status)
      l2o_fail(diag, status, "%s: 'weights' do not fit this precision", path);
  }
  if (!status) {
    memcpy(t->weights, block, P * sizeof *block);
    memcpy(t->moment1, block + P, P * sizeof *block);
    memcpy(t->moment2, block + 2 * P, P * sizeof *block);
    memcpy(t->best, block + 3 * P, P * sizeof *block);
    for (size_t i = 0; i < points; i++)
      t->x[i] = (l2o_real)x[i];
    for (size_t i = 0; i < states; i++)
      t->state[i] = (l2o_real)state[i];
    t->progress = p;
  }
  free(block);
  l2o_tensor_file_free(file);
  return status;
}
