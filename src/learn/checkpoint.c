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

/* The rows of all instances, `stride` apart, each rank's own being added to minus zeros, piece by piece in the memory of the sums;
 * into `out`, (batch, columns), unless that is NULL. Rounds nothing. */
static l2o_status collect(const l2o_trainer *t, double *out, const l2o_real *own, size_t columns, size_t stride, l2o_diag *diag) {
  const size_t total = t->settings.batch * columns, first = t->share.first * columns, count = t->share.count * columns,
               piece = (size_t)(t->losses - t->sum) + 1;
  for (size_t begin = 0; begin < total; begin += piece) {
    const size_t length = total - begin < piece ? total - begin : piece;
    for (size_t i = 0; i < length; i++) {
      const size_t at = begin + i - first; /* wraps where it is before `first` */
      t->sum[i] = at < count ? (double)own[at / columns * stride + at % columns] : -0.0;
    }
    l2o_status status = l2o_ranks_sum(&t->settings, t->sum, length, diag);
    if (status)
      return status;
    if (out)
      memcpy(out + begin, t->sum, length * sizeof *out);
  }
  return L2O_OK;
}

/* w: NULL unless this rank writes. */
static l2o_status add_rows(const l2o_trainer *t, l2o_tensor_writer *w, const char *name, const l2o_real *own, size_t columns,
                           size_t stride, l2o_diag *diag) {
  const size_t shape[2] = {t->settings.batch, columns};
  double *all = w ? malloc((shape[0] * columns + 1) * sizeof *all) : NULL;
  l2o_status status = collect(t, all, own, columns, stride, diag);
  if (!status && w)
    status = all ? l2o_tensor_writer_add(w, name, L2O_F64, all, shape, 2) : L2O_ERR_NOMEM;
  free(all);
  return status;
}

/* Everything but the rows of the instances. */
static l2o_status add_common(l2o_tensor_writer *w, const l2o_trainer *t, const char *config_id) {
  const l2o_progress *p = &t->progress;
  char seed[32];
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->settings.seed);
  l2o_status status = L2O_OK;
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
  return status ? status : l2o_tensor_writer_add(w, "best.objective", L2O_F64, &p->best, NULL, 0);
}

l2o_status l2o_trainer_save(const l2o_trainer *t, const char *path, const char *config_id, l2o_diag *diag) {
  const bool writes = t->settings.rank == 0;
  l2o_tensor_writer *w = NULL;
  l2o_status status = writes ? l2o_tensor_writer_new(&w) : L2O_OK;
  if (!status && writes)
    status = add_common(w, t, config_id);
  if (t->progress.position) { /* in the middle of a horizon; whatever happened, the other ranks are waiting */
    const l2o_status x = add_rows(t, w, "x", t->x, t->n, t->n, diag),
                     state = add_rows(t, w, "state", t->state, t->state_len, t->stride, diag);
    status = status ? status : x ? x : state;
  }
  if (status && writes)
    l2o_fail(diag, status, "%s: checkpoint not written: %s", path, l2o_strerror(status));
  else if (writes)
    status = l2o_tensor_writer_save(w, path, diag);
  l2o_tensor_writer_free(w);
  return l2o_ranks_agree(&t->settings, status, diag);
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

/* What a checkpoint says: in `block` weights, moments, best weights, and the iterates and states of all instances. */
static l2o_status read_all(const l2o_trainer *t, l2o_progress *progress, double *block, const char *path, const char *config_id,
                           l2o_diag *diag) {
  l2o_tensor_file *file;
  l2o_status status = l2o_tensor_file_open(&file, path, diag);
  if (status)
    return status;
  const size_t P = t->parameters, points = t->settings.batch * t->n, states = t->settings.batch * t->state_len;
  l2o_progress p = {0};
  const struct {
    const char *key, *expected, *what;
  } facts[] = {{"l2o.checkpoint", FORMAT, "format"},
               {"l2o.solver", t->solver->name, "rule"},
               {"l2o.model", l2o_model_spec(t->model), "model"},
               {"l2o.precision", PRECISION, "precision"},
               {"config", config_id ? config_id : "", "configuration"}};
  for (size_t i = 0; i < sizeof facts / sizeof *facts && !status; i++)
    status = check_metadata(file, facts[i].key, facts[i].expected, facts[i].what, path, diag);
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
    status = read(file, "x", block + 4 * P, points, path, diag);
    if (!status)
      status = read(file, "state", block + 4 * P + points, states, path, diag);
  }
  l2o_tensor_file_free(file);
  *progress = p;
  return status;
}

l2o_status l2o_trainer_resume(l2o_trainer *t, const char *path, const char *config_id, l2o_diag *diag) {
  const size_t P = t->parameters, n = t->n, len = t->state_len, batch = t->settings.batch;
  l2o_progress p = {0};
  const size_t length = 4 * P + batch * (n + len);
  double *block = calloc(length + 1, sizeof *block); /* and behind it the step, for the ranks to compare */
  l2o_status status =
      block ? read_all(t, &p, block, path, config_id, diag) : l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  status = l2o_ranks_agree(&t->settings, status, diag);
  if (!status) {
    block[length] = (double)p.step;
    status = l2o_ranks_compare(&t->settings, block, (length + 1) * sizeof *block, L2O_ERR_FORMAT,
                               "the ranks read different checkpoints", diag);
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
    const double *x = block + 4 * P + t->share.first * n, *state = block + 4 * P + batch * n + t->share.first * len;
    for (size_t i = 0; i < t->share.count * n; i++)
      t->x[i] = (l2o_real)x[i];
    for (size_t i = 0; i < t->share.count * len; i++)
      t->state[i / len * t->stride + i % len] = (l2o_real)state[i];
    t->looked = false; /* the same numbers come again */
    t->progress = p;
  }
  free(block);
  return status;
}
