/* SPDX-License-Identifier: BSD-3-Clause */
/* The network of an LSTM rule through one segment, forward and back: two layers for every coordinate of every instance, on given
 * inputs; run.sh drives this and its peer.
 *
 *   bench_lstm write DIR INSTANCES UNKNOWNS HIDDEN T   DIR/lstm.safetensors, for both sides
 *   bench_lstm gradient DIR T THREADS                  DIR/gradient.safetensors: loss and grad.<tensor>
 *   bench_lstm train DIR T THREADS REPEATS             the same, timed
 *
 * With N coordinates, h_t the state of the second layer: loss = 1/N sum over t and coordinates of w'h_t. An instance goes through a
 * step before the next step begins, as it has to where a solver makes the inputs from the step before; it is cut into chunks, as
 * src/nn/lstm.h recommends. `train` prints what bench_training does. */
#include "nn/lstm.h"
#include "timing.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 2, LAYERS = 2, TENSORS = 4 };
static const char *const names[TENSORS] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};

/* Of one thread. */
typedef struct workspace {
  l2o_real *h[LAYERS], *c[LAYERS], *tape[LAYERS], *dh[LAYERS], *dc[LAYERS], *work;
} workspace;

typedef struct network {
  size_t instances, n, H, T, chunks;
  int threads;
  double *tensor[LAYERS][TENSORS];
  l2o_lstm layer[LAYERS];
  l2o_real *x;                       /* (instances, T, chunks) of (INPUTS, chunk) */
  l2o_real *w;                       /* (H) */
  double *sums, *loss, *sum[LAYERS]; /* sums: (instances) of both layers' */
  size_t sum_len[LAYERS];
  workspace *spaces; /* (threads) */
  double objective;
} network;

static size_t inputs_of(const network *w, size_t layer) {
  return layer ? w->H : INPUTS;
}
static size_t chunk_size(const network *w, size_t chunk) {
  const size_t first = chunk * L2O_LSTM_CHUNK;
  return w->n - first < L2O_LSTM_CHUNK ? w->n - first : L2O_LSTM_CHUNK;
}
static size_t count_of(const network *w, size_t layer, size_t tensor) {
  return 4 * w->H * (tensor == 0 ? inputs_of(w, layer) : tensor == 1 ? w->H : 1);
}

static void write_files(const char *folder, size_t instances, size_t n, size_t H, size_t T) {
  char path[PATH_SIZE], name[100];
  network shape = {.H = H};
  l2o_tensor_writer *writer;
  l2o_rng rng;
  l2o_rng_seed(&rng, 1, 0, 0);
  must(l2o_tensor_writer_new(&writer));
  for (size_t l = 0; l < LAYERS; l++)
    for (size_t i = 0; i < TENSORS; i++) {
      const size_t count = count_of(&shape, l, i), dimensions[2] = {4 * H, count / (4 * H)};
      double *values = get(count, sizeof *values);
      l2o_rng_normal(&rng, values, count);
      for (size_t j = 0; j < count; j++)
        values[j] *= 0.2;
      snprintf(name, sizeof name, "%zu.%s", l, names[i]);
      must(l2o_tensor_writer_add(writer, name, L2O_F32, values, dimensions, i < 2 ? 2 : 1));
      free(values);
    }
  const size_t inputs[4] = {instances, T, n, INPUTS};
  double *x = get(instances * T * n * INPUTS, sizeof *x), *w = get(H, sizeof *w);
  l2o_rng_normal(&rng, x, instances * T * n * INPUTS);
  l2o_rng_normal(&rng, w, H);
  must(l2o_tensor_writer_add(writer, "x", L2O_F32, x, inputs, 4));
  must(l2o_tensor_writer_add(writer, "w", L2O_F32, w, &H, 1));
  must(l2o_tensor_writer_save(writer, in(path, folder, "lstm"), &diag));
  l2o_tensor_writer_free(writer);
  free(x);
  free(w);
}

static double *read_tensor(const l2o_tensor_file *file, const char *name, const size_t **shape) {
  const l2o_tensor *tensor = l2o_tensor_file_find(file, name);
  if (!tensor)
    must(L2O_ERR_FORMAT);
  double *values = get(tensor->count, sizeof *values);
  l2o_tensor_to_double(tensor, values);
  if (shape)
    *shape = tensor->shape;
  return values;
}

static l2o_real *to_reals(const double *values, size_t count) {
  l2o_real *out = get(count, sizeof *out);
  for (size_t i = 0; i < count; i++)
    out[i] = (l2o_real)values[i];
  return out;
}

/* On a cache line of its own, as the library has it. */
static l2o_real *reals(size_t count) {
  const size_t bytes = l2o_whole_lines(count) * sizeof(l2o_real);
  l2o_real *p = aligned_alloc(64, bytes);
  if (!p)
    must(L2O_ERR_NOMEM);
  memset(p, 0, bytes);
  return p;
}

/* x: from (instances, T, n, INPUTS) to chunks with the coordinates side by side */
static void arrange(network *w, const double *x) {
  l2o_real *out = w->x = get(w->instances * w->T * w->n * INPUTS, sizeof *w->x);
  for (size_t step = 0; step < w->instances * w->T; step++)
    for (size_t chunk = 0; chunk < w->chunks; chunk++)
      for (size_t k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < chunk_size(w, chunk); i++)
          *out++ = (l2o_real)x[(step * w->n + chunk * L2O_LSTM_CHUNK + i) * INPUTS + k];
}

static void open_network(network *w, const char *folder) {
  char path[PATH_SIZE], name[100];
  const size_t *shape;
  l2o_tensor_file *file;
  must(l2o_tensor_file_open(&file, in(path, folder, "lstm"), &diag));
  double *x = read_tensor(file, "x", &shape), *last = read_tensor(file, "w", NULL);
  w->instances = shape[0];
  w->n = shape[2];
  w->H = l2o_tensor_file_find(file, "w")->count;
  w->chunks = (w->n + L2O_LSTM_CHUNK - 1) / L2O_LSTM_CHUNK;
  if (w->T != shape[1])
    must(L2O_ERR_SHAPE);
  w->w = to_reals(last, w->H);
  arrange(w, x);
  w->spaces = get((size_t)w->threads, sizeof *w->spaces);
  for (size_t l = 0; l < LAYERS; l++) {
    l2o_real *tensor[TENSORS], *packed = get(l2o_lstm_packed_len(inputs_of(w, l), w->H), sizeof *packed);
    for (size_t i = 0; i < TENSORS; i++) {
      snprintf(name, sizeof name, "%zu.%s", l, names[i]);
      w->tensor[l][i] = read_tensor(file, name, NULL);
      tensor[i] = to_reals(w->tensor[l][i], count_of(w, l, i));
    }
    l2o_lstm_pack(packed, tensor[0], tensor[1], tensor[2], tensor[3], inputs_of(w, l), w->H);
    w->layer[l] =
        (l2o_lstm){.inputs = inputs_of(w, l), .hidden = w->H, .weight_ih = tensor[0], .weight_hh = tensor[1], .packed = packed};
    w->sum_len[l] = l2o_lstm_sum_len(inputs_of(w, l), w->H);
    w->sum[l] = get(w->sum_len[l], sizeof *w->sum[l]);
    free(tensor[2]);
    free(tensor[3]);
    for (int t = 0; t < w->threads; t++) {
      workspace *s = &w->spaces[t];
      const size_t states = w->H * w->chunks * L2O_LSTM_CHUNK, work = l2o_lstm_work_len(&w->layer[l], L2O_LSTM_CHUNK);
      s->h[l] = reals(states);
      s->c[l] = reals(states);
      s->dh[l] = reals(states);
      s->dc[l] = reals(states);
      s->tape[l] = reals(w->T * w->chunks * l2o_lstm_tape_len(&w->layer[l], L2O_LSTM_CHUNK));
      free(s->work);
      s->work = reals(work); /* the second layer has more inputs and needs more */
    }
  }
  w->sums = get(w->instances * (w->sum_len[0] + w->sum_len[1]), sizeof *w->sums);
  w->loss = get(w->instances, sizeof *w->loss);
  l2o_tensor_file_free(file);
  free(x);
  free(last);
}

static void close_network(network *w) {
  for (size_t l = 0; l < LAYERS; l++) {
    for (size_t i = 0; i < TENSORS; i++)
      free(w->tensor[l][i]);
    free((void *)w->layer[l].weight_ih);
    free((void *)w->layer[l].weight_hh);
    free((void *)w->layer[l].packed);
    free(w->sum[l]);
    for (int t = 0; t < w->threads; t++) {
      workspace *s = &w->spaces[t];
      free(s->h[l]);
      free(s->c[l]);
      free(s->dh[l]);
      free(s->dc[l]);
      free(s->tape[l]);
    }
  }
  for (int t = 0; t < w->threads; t++)
    free(w->spaces[t].work);
  free(w->spaces);
  free(w->sums);
  free(w->loss);
  free(w->x);
  free(w->w);
}

/* The records of a layer lie in the order of the steps; the one behind this, if there is one. */
static l2o_ahead record_behind(const network *w, const l2o_real *tape, size_t record, size_t tape_len) {
  const l2o_real *next = tape + (record + 1) * tape_len;
  return record + 1 < w->T * w->chunks ? (l2o_ahead){next, next + tape_len} : (l2o_ahead){NULL, NULL};
}

/* One instance through the segment and back: its loss, and its gradient into its part of `sums`. */
static void run_instance(network *w, size_t instance, workspace *s) {
  const size_t states = w->H * L2O_LSTM_CHUNK;
  const l2o_real *x = w->x + instance * w->T * w->n * INPUTS, factor = (l2o_real)(1 / (double)(w->instances * w->n));
  size_t tape_len[LAYERS];
  double *sum[LAYERS] = {w->sums + instance * (w->sum_len[0] + w->sum_len[1])}, loss = 0;
  sum[1] = sum[0] + w->sum_len[0];
  memset(sum[0], 0, (w->sum_len[0] + w->sum_len[1]) * sizeof *sum[0]);
  for (size_t l = 0; l < LAYERS; l++) {
    tape_len[l] = l2o_lstm_tape_len(&w->layer[l], L2O_LSTM_CHUNK);
    memset(s->h[l], 0, w->chunks * states * sizeof(l2o_real));
    memset(s->c[l], 0, w->chunks * states * sizeof(l2o_real));
    memset(s->dh[l], 0, w->chunks * states * sizeof(l2o_real));
    memset(s->dc[l], 0, w->chunks * states * sizeof(l2o_real));
  }
  for (size_t t = 0; t < w->T; t++)
    for (size_t chunk = 0; chunk < w->chunks; chunk++) {
      const size_t n = chunk_size(w, chunk), at = chunk * states, record = t * w->chunks + chunk;
      l2o_ahead ahead[LAYERS] = {record_behind(w, s->tape[0], record, tape_len[0]),
                                 record_behind(w, s->tape[1], record, tape_len[1])};
      l2o_lstm_forward(&w->layer[0], s->h[0] + at, s->c[0] + at, s->tape[0] + record * tape_len[0], x, &ahead[0], n);
      l2o_lstm_forward(&w->layer[1], s->h[1] + at, s->c[1] + at, s->tape[1] + record * tape_len[1], s->h[0] + at, &ahead[1], n);
      x += INPUTS * n;
      for (size_t j = 0; j < w->H; j++) {
        l2o_real row = 0;
        for (size_t i = 0; i < n; i++)
          row += s->h[1][at + j * n + i];
        loss += (double)row * (double)w->w[j];
      }
    }
  w->loss[instance] = loss * (double)factor;
  for (size_t t = w->T; t-- > 0;)
    for (size_t chunk = 0; chunk < w->chunks; chunk++) {
      const size_t n = chunk_size(w, chunk), at = chunk * states, record = t * w->chunks + chunk;
      l2o_ahead ahead[LAYERS] = {record_behind(w, s->tape[0], record, tape_len[0]),
                                 record_behind(w, s->tape[1], record, tape_len[1])};
      for (size_t j = 0; j < w->H; j++)
        for (size_t i = 0; i < n; i++)
          s->dh[1][at + j * n + i] += factor * w->w[j];
      l2o_lstm_backward(&w->layer[1], sum[1], s->dh[0] + at, s->dh[1] + at, s->dc[1] + at, s->tape[1] + record * tape_len[1],
                        s->work, &ahead[1], n);
      l2o_lstm_backward(&w->layer[0], sum[0], NULL, s->dh[0] + at, s->dc[0] + at, s->tape[0] + record * tape_len[0], s->work,
                        &ahead[0], n);
    }
}

static void train_once(void *context) {
  network *w = context;
  const size_t len = w->sum_len[0] + w->sum_len[1];
#pragma omp parallel for schedule(dynamic) num_threads(w->threads)
  for (size_t i = 0; i < w->instances; i++)
    run_instance(w, i, &w->spaces[omp_get_thread_num()]);
  w->objective = 0;
  for (size_t l = 0; l < LAYERS; l++)
    memset(w->sum[l], 0, w->sum_len[l] * sizeof *w->sum[l]);
  for (size_t i = 0; i < w->instances; i++) {
    w->objective += w->loss[i];
    for (size_t j = 0; j < len; j++)
      (j < w->sum_len[0] ? w->sum[0] + j : w->sum[1] + (j - w->sum_len[0]))[0] += w->sums[i * len + j];
  }
}

static void write_gradient(network *w, const char *folder) {
  char path[PATH_SIZE], name[100];
  l2o_tensor_writer *writer;
  train_once(w);
  must(l2o_tensor_writer_new(&writer));
  must(l2o_tensor_writer_add(writer, "loss", L2O_F64, &w->objective, NULL, 0));
  for (size_t l = 0; l < LAYERS; l++) {
    double *gradient[TENSORS];
    for (size_t i = 0; i < TENSORS; i++)
      gradient[i] = get(count_of(w, l, i), sizeof(double));
    l2o_lstm_gradient(gradient[0], gradient[1], gradient[2], w->sum[l], inputs_of(w, l), w->H);
    memcpy(gradient[3], gradient[2], count_of(w, l, 3) * sizeof(double));
    for (size_t i = 0; i < TENSORS; i++) {
      const size_t count = count_of(w, l, i), dimensions[2] = {4 * w->H, count / (4 * w->H)};
      snprintf(name, sizeof name, "grad.%zu.%s", l, names[i]);
      must(l2o_tensor_writer_add(writer, name, L2O_F64, gradient[i], dimensions, i < 2 ? 2 : 1));
      free(gradient[i]);
    }
  }
  must(l2o_tensor_writer_save(writer, in(path, folder, "gradient"), &diag));
  l2o_tensor_writer_free(writer);
}

int main(int argc, char **argv) {
  const char *task = argc > 1 ? argv[1] : "", *folder = argc > 2 ? argv[2] : "";
  const bool gradient = argc == 5 && strcmp(task, "gradient") == 0, train = argc == 6 && strcmp(task, "train") == 0;
  if (argc == 7 && strcmp(task, "write") == 0) {
    write_files(folder, size_of(argv[3]), size_of(argv[4]), size_of(argv[5]), size_of(argv[6]));
    return 0;
  }
  if (!gradient && !train) {
    fputs("usage: bench_lstm write DIR INSTANCES UNKNOWNS HIDDEN T\n"
          "       bench_lstm gradient DIR T THREADS\n"
          "       bench_lstm train DIR T THREADS REPEATS\n",
          stderr);
    return 2;
  }
  network w = {.T = size_of(argv[3]), .threads = (int)size_of(argv[4])};
  open_network(&w, folder);
  if (gradient)
    write_gradient(&w, folder);
  else
    report(train_once, &w, size_of(argv[5]), 1, &w.objective);
  close_network(&w);
  return 0;
}
