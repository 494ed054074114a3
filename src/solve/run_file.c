/* SPDX-License-Identifier: BSD-3-Clause */
/* A run in a safetensors file: everything that the next step depends on. What a rule remembers is bytes to us (some keep doubles
 * among single-precision reals), and is written as F64 whose bits nobody converts. */
#include "core/diag.h"
#include "core/options.h"
#include "solve/run.h"
#include <l2o/tensor_file.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "1";
static const char *const PRECISION = sizeof(l2o_real) == sizeof(float) ? "single" : "double";
static const l2o_dtype REAL = sizeof(l2o_real) == sizeof(float) ? L2O_F32 : L2O_F64;

/* The words of a random stream behind its seed, and the counts of a run. */
enum {
  STEP,
  VALUE_CALLS,
  GRADIENT_CALLS,
  UNCHARGED,
  REJECTED,
  KNOWN,
  CLAIMED,
  LEFT,
  HAS_SPARE,
  KEY,
  COUNTER = KEY + 2,
  BLOCK = COUNTER + 4,
  WORDS = BLOCK + 4
};

/* What the file holds. */
typedef struct content {
  double words[WORDS], seconds, spare;
  double *reals; /* x (n), the last good point (n) where it is another one, state in whole doubles */
} content;

static size_t state_len(const l2o_run_memory *m) {
  return m->solver->state_len ? m->solver->state_len(m->it) : 0;
}

/* Doubles that have room for the state. */
static size_t packed_len(const l2o_run_memory *m) {
  return (state_len(m) * sizeof(l2o_real) + sizeof(double) - 1) / sizeof(double);
}

static l2o_status check_kind(const l2o_run_memory *m, l2o_diag *diag) {
  if (m->guarded)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: a run with a guard cannot be saved", m->solver->name);
  if (m->solver->done)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s keeps its memory elsewhere: such a run cannot be saved", m->solver->name);
  return L2O_OK;
}

static void note(const l2o_run_memory *m, double *words) {
  const l2o_iterate *it = m->it;
  const l2o_rng *rng = it->rng;
  words[STEP] = (double)it->k;
  words[VALUE_CALLS] = (double)it->value_calls;
  words[GRADIENT_CALLS] = (double)it->gradient_calls;
  words[UNCHARGED] = (double)it->uncharged;
  words[REJECTED] = (double)it->rejected;
  words[KNOWN] = *m->known;
  words[CLAIMED] = it->has_gradient && !it->pending && !it->batch;
  words[LEFT] = rng->left;
  words[HAS_SPARE] = rng->has_spare;
  for (size_t i = 0; i < 2; i++)
    words[KEY + i] = rng->key[i];
  for (size_t i = 0; i < 4; i++) {
    words[COUNTER + i] = rng->counter[i];
    words[BLOCK + i] = rng->block[i];
  }
}

static l2o_status add_reals(l2o_tensor_writer *w, const char *name, const l2o_real *values, double *room, size_t count) {
  for (size_t i = 0; i < count; i++)
    room[i] = (double)values[i];
  return l2o_tensor_writer_add(w, name, REAL, room, &count, 1);
}

/* room: the largest of n and packed_len() doubles. */
static l2o_status add_all(l2o_tensor_writer *w, const l2o_run_memory *m, const char *id, double *room) {
  const l2o_iterate *it = m->it;
  const size_t packed = packed_len(m), options = l2o_option_count(m->solver->options), word_count = WORDS;
  const char *const metadata[][2] = {{"l2o.run", FORMAT},
                                     {"l2o.solver", m->solver->name},
                                     {"l2o.problem", l2o_problem_name(it->problem)},
                                     {"l2o.precision", PRECISION},
                                     {"id", id ? id : ""}};
  double words[WORDS];
  l2o_status status = L2O_OK;
  for (size_t i = 0; i < sizeof metadata / sizeof *metadata && !status; i++)
    status = l2o_tensor_writer_metadata(w, metadata[i][0], metadata[i][1]);
  note(m, words);
  if (!status)
    status = l2o_tensor_writer_add(w, "step", L2O_I64, &words[STEP], NULL, 0);
  if (!status)
    status = l2o_tensor_writer_add(w, "words", L2O_I64, words, &word_count, 1);
  if (!status)
    status = l2o_tensor_writer_add(w, "seconds", L2O_F64, m->seconds, NULL, 0);
  if (!status)
    status = l2o_tensor_writer_add(w, "spare", L2O_F64, &it->rng->spare, NULL, 0);
  if (!status)
    status = l2o_tensor_writer_add(w, "options", L2O_F64, it->options, &options, 1);
  if (!status)
    status = add_reals(w, "x", it->x, room, it->n);
  if (!status && m->previous && !*m->known)
    status = add_reals(w, "previous", m->previous, room, it->n);
  if (status)
    return status;
  memset(room, 0, packed * sizeof *room);
  memcpy(room, it->state, state_len(m) * sizeof *it->state);
  return l2o_tensor_writer_add(w, "state", L2O_F64, room, &packed, 1);
}

l2o_status l2o_run_save(const l2o_run *run, const char *path, const char *id, l2o_diag *diag) {
  const l2o_run_memory m = l2o_run_memory_of((l2o_run *)run); /* only read here */
  const size_t packed = packed_len(&m), most = packed > m.it->n ? packed : m.it->n;
  l2o_tensor_writer *w = NULL;
  l2o_status status = check_kind(&m, diag);
  if (!status && !m.started)
    status = l2o_fail(diag, L2O_ERR_ARG, "%s: a run that has not started cannot be saved", m.solver->name);
  if (status)
    return status;
  double *room = calloc(most, sizeof *room);
  status = room ? l2o_tensor_writer_new(&w) : L2O_ERR_NOMEM;
  if (!status)
    status = add_all(w, &m, id, room);
  if (status)
    l2o_fail(diag, status, "%s: run not written: %s", path, l2o_strerror(status));
  else
    status = l2o_tensor_writer_save(w, path, diag);
  l2o_tensor_writer_free(w);
  free(room);
  return status;
}

/* ---- resuming ---- */

static l2o_status read(const l2o_tensor_file *file, const char *name, double *out, size_t count, const char *path, l2o_diag *diag) {
  const l2o_tensor *tensor = l2o_tensor_file_find(file, name);
  if (!tensor)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: the run lacks '%s'", path, name);
  if (tensor->count != count)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' has %zu entries, %zu expected", path, name, tensor->count, count);
  l2o_tensor_to_double(tensor, out);
  return L2O_OK;
}

/* A point of the run: all of it finite in this precision. */
static l2o_status read_point(const l2o_tensor_file *file, const char *name, double *out, size_t n, const char *path,
                             l2o_diag *diag) {
  const l2o_status status = read(file, name, out, n, path, diag);
  for (size_t i = 0; i < n && !status; i++)
    if (!isfinite((double)(l2o_real)out[i]))
      return l2o_fail(diag, L2O_ERR_FORMAT, "%s: '%s' holds a value that is not finite", path, name);
  return status;
}

static l2o_status check_facts(const l2o_run_memory *m, const l2o_tensor_file *file, const char *path, const char *id,
                              l2o_diag *diag) {
  const struct {
    const char *key, *expected, *what;
  } facts[] = {{"l2o.run", FORMAT, "format"},
               {"l2o.solver", m->solver->name, "rule"},
               {"l2o.problem", l2o_problem_name(m->it->problem), "problem"},
               {"l2o.precision", PRECISION, "precision"},
               {"id", id ? id : "", "experiment"}};
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
    const char *text = l2o_tensor_file_metadata(file, facts[i].key);
    if (!text)
      return l2o_fail(diag, L2O_ERR_FORMAT, "%s: not a run of libl2o (metadata '%s' is missing)", path, facts[i].key);
    if (strcmp(text, facts[i].expected) != 0)
      return l2o_fail(diag, L2O_ERR_ARG, "%s: the run belongs to another %s", path, facts[i].what);
  }
  double options[L2O_OPTIONS_MAX];
  const size_t count = l2o_option_count(m->solver->options);
  l2o_status status = read(file, "options", options, count, path, diag);
  for (size_t i = 0; i < count && !status; i++)
    if (options[i] != m->it->options[i])
      status = l2o_fail(diag, L2O_ERR_ARG, "%s: the run was made with %s = %g, this one has %g", path, m->solver->options[i].name,
                        options[i], m->it->options[i]);
  return status;
}

static l2o_status read_all(const l2o_run_memory *m, content *c, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  static const double most[WORDS] = {
      [STEP] = 9e15, 9e15, 9e15, 9e15, 9e15, [KNOWN] = 1, [CLAIMED] = 1, [LEFT] = 4, [HAS_SPARE] = 1};
  const size_t n = m->it->n;
  l2o_status status = read(file, "words", c->words, WORDS, path, diag);
  for (size_t i = 0; i < WORDS && !status; i++)
    if (!(c->words[i] >= 0 && c->words[i] <= (i < KEY ? most[i] : (double)UINT32_MAX)))
      status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: entry %zu of 'words' is no such count", path, i);
  if (!status)
    status = read(file, "seconds", &c->seconds, 1, path, diag);
  if (!status && !(c->seconds >= 0 && c->seconds < HUGE_VAL))
    status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: 'seconds' is not a time", path);
  if (!status)
    status = read(file, "spare", &c->spare, 1, path, diag);
  if (!status)
    status = read_point(file, "x", c->reals, n, path, diag);
  if (!status && m->previous && c->words[KNOWN] == 0)
    status = read_point(file, "previous", c->reals + n, n, path, diag);
  return status ? status : read(file, "state", c->reals + 2 * n, packed_len(m), path, diag);
}

static void to_reals(l2o_real *out, const double *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    out[i] = (l2o_real)values[i];
}

/* A rule that has evaluated the point it went to has counted that; f and g are not in the file, but come out as they were. */
static l2o_status restore(const l2o_run_memory *m, const content *c) {
  l2o_iterate *it = m->it;
  l2o_rng *rng = it->rng;
  const double *words = c->words;
  to_reals(it->x, c->reals, it->n);
  const l2o_status status = words[CLAIMED] != 0 ? l2o_iterate_gradient(it) : L2O_OK;
  it->k = (size_t)words[STEP];
  it->value_calls = (size_t)words[VALUE_CALLS];
  it->gradient_calls = (size_t)words[GRADIENT_CALLS];
  it->uncharged = (size_t)words[UNCHARGED];
  it->rejected = (size_t)words[REJECTED];
  *m->known = words[KNOWN] != 0;
  *m->seconds = c->seconds;
  rng->left = (uint32_t)words[LEFT];
  rng->has_spare = words[HAS_SPARE] != 0;
  rng->spare = c->spare;
  for (size_t i = 0; i < 2; i++)
    rng->key[i] = (uint32_t)words[KEY + i];
  for (size_t i = 0; i < 4; i++) {
    rng->counter[i] = (uint32_t)words[COUNTER + i];
    rng->block[i] = (uint32_t)words[BLOCK + i];
  }
  if (m->previous)
    to_reals(m->previous, *m->known ? c->reals : c->reals + it->n, it->n);
  memcpy(it->state, c->reals + 2 * it->n, state_len(m) * sizeof *it->state);
  return status;
}

l2o_status l2o_run_resume(l2o_run *run, const char *path, const char *id, l2o_diag *diag) {
  l2o_run_memory m = l2o_run_memory_of(run);
  l2o_tensor_file *file;
  content c;
  l2o_status status = check_kind(&m, diag);
  if (!status)
    status = l2o_tensor_file_open(&file, path, diag);
  if (status)
    return status;
  c.reals = calloc(2 * m.it->n + packed_len(&m), sizeof *c.reals);
  status = c.reals ? check_facts(&m, file, path, id, diag) : l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  if (!status)
    status = read_all(&m, &c, file, path, diag);
  l2o_tensor_file_free(file);
  if (!status) { /* nothing was touched up to here */
    status = l2o_run_start(run, NULL);
    m = l2o_run_memory_of(run);
    if (!status)
      status = restore(&m, &c);
    if (status)
      l2o_fail(diag, status, "%s on problem '%s': %s", m.solver->name, l2o_problem_name(m.it->problem), l2o_strerror(status));
  }
  free(c.reals);
  return status;
}
