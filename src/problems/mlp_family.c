/* SPDX-License-Identifier: BSD-3-Clause */
/* Instances of `mlp`. Drawn: inputs N(0, Q diag(1, 1/2, ..., 1/n) Q'), Q random; a teacher V tanh(U a), U ~ N(0, 1), V ~ N(0,
 * 1/32), says the targets, or by its largest output the label. Q and the teachers belong to the task, which all instances share. Of
 * data: its rows and labels. Start: uniform in +-1/sqrt(inputs of a layer), weights and biases, as PyTorch initialises. */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/classification.h"
#include "problems/mlp.h"
#include "problems/rotation.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  OPTION_INPUTS,
  OPTION_WIDTH,
  OPTION_DEPTH,
  OPTION_OUTPUTS,
  OPTION_ACTIVATION,
  OPTION_BIAS,
  OPTION_LOSS,
  OPTION_SAMPLES,
  OPTION_TASK,
  OPTION_SHIFT,
  OPTION_ROTATE,
  OPTION_SUBSET,
  OPTION_SCALE
};
enum { CLASSIFICATION, REGRESSION };
enum { SUBSET_FIRST, SUBSET_RANDOM };
enum { MOST_DRAWN_INPUTS = 4096 }; /* their basis is a matrix of so many rows */
static const l2o_option options[] = {
    {"inputs", L2O_OPTION_INT, 64, 1, 1e6, NULL, "numbers that go in; of data: its features"},
    {"width", L2O_OPTION_INT, 128, 1, 65536, NULL, "units of a hidden layer"},
    {"depth", L2O_OPTION_INT, 2, 0, 64, NULL, "hidden layers; 0: a linear model"},
    {"outputs", L2O_OPTION_INT, 10, 1, 1e5, NULL, "classes, or outputs of a regression"},
    {"activation", L2O_OPTION_CHOICE, L2O_HIDDEN_RELU, 0, 0, L2O_HIDDEN_CHOICES, "what hidden units do"},
    {"bias", L2O_OPTION_CHOICE, 1, 0, 0, "false|true", "layers add a bias"},
    {"loss", L2O_OPTION_CHOICE, CLASSIFICATION, 0, 0, "classification|regression", "cross-entropy, or 1/2 |z - t|^2"},
    {"samples", L2O_OPTION_INT, 1024, 0, 1e8, NULL, "samples that the mean is taken over; 0: all of the data"},
    {"task", L2O_OPTION_INT, 1, 0, 1e9, NULL, "seed of what all instances share: the inputs' basis and the teachers"},
    {"drift", L2O_OPTION_REAL, 0, 0, 1, NULL, "drawn: the teacher is (1 - drift) A + drift B, A and B of the task"},
    {"rotate", L2O_OPTION_REAL, 0, -180, 180, NULL, "degrees by which the images of data are turned, anticlockwise"},
    {"subset", L2O_OPTION_CHOICE, SUBSET_FIRST, 0, 0, "first|random",
     "which samples of the data: the first ones, or others for every instance, drawn without replacement"},
    L2O_SCALE_OPTION,
    {0},
};

/* What all instances of drawn data share, in double: a = B n for n ~ N(0, I), the teachers' outputs V tanh(U a). */
enum { TEACHERS = 2, TEACHER_WIDTH = 128 };
typedef struct task {
  double *B;           /* (inputs, inputs) */
  double *U[TEACHERS]; /* (TEACHER_WIDTH, inputs) */
  double *V[TEACHERS]; /* (outputs, TEACHER_WIDTH) */
  double share[TEACHERS];
} task;

typedef struct mlp_family {
  l2o_family base; /* first: the family handle points here */
  l2o_mlp_shape shape;
  bool regression;
  size_t samples;
  task drawn;
  void *drawn_block;
  /* of families from data */
  l2o_dataset *source;
  l2o_real *changed; /* turned or scaled features; NULL: those of the data */
  l2o_real *target;  /* (rows, outputs) of a regression */
  bool chooses;      /* subset = random */
  char note[200];
} mlp_family;

/* ---- what is drawn ---- */

/* Streams of an instance are named by its seed, those of a task by `task`. */
enum { STREAM_SAMPLES, STREAM_START, STREAM_TASK };

static void layout_task(task *t, l2o_arena *arena, const l2o_mlp_shape *s) {
  L2O_TAKE(arena, t->B, s->inputs * s->inputs);
  for (int k = 0; k < TEACHERS; k++) {
    L2O_TAKE(arena, t->U[k], s->inputs * TEACHER_WIDTH);
    L2O_TAKE(arena, t->V[k], TEACHER_WIDTH * s->outputs);
  }
}

/* B = Q diag(1, 1/sqrt 2, ..., 1/sqrt n) */
static l2o_status draw_basis(double *B, size_t n, uint64_t seed) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, STREAM_TASK, 0);
  l2o_rng_normal(&rng, B, n * n);
  const l2o_status status = l2o_orthogonalise(B, n, n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      B[i * n + j] /= sqrt((double)(j + 1));
  return status;
}

static l2o_status draw_task(mlp_family *f, uint64_t seed, double shift) {
  const l2o_mlp_shape *s = &f->shape;
  l2o_arena arena = {0};
  layout_task(&f->drawn, &arena, s);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout_task(&f->drawn, &arena, s);
  f->drawn_block = arena.base;
  f->drawn.share[0] = 1 - shift;
  f->drawn.share[1] = shift;
  for (int k = 0; k < TEACHERS; k++) {
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, STREAM_TASK, 1 + (uint64_t)k);
    l2o_rng_normal(&rng, f->drawn.U[k], s->inputs * TEACHER_WIDTH);
    l2o_rng_normal(&rng, f->drawn.V[k], TEACHER_WIDTH * s->outputs);
    for (size_t i = 0; i < TEACHER_WIDTH * s->outputs; i++)
      f->drawn.V[k][i] /= sqrt(TEACHER_WIDTH);
  }
  return draw_basis(f->drawn.B, s->inputs, seed);
}

/* So many samples are drawn at a time. */
enum { BATCH = 256 };
typedef struct batch {
  double *N, *X, *H, *Z, *sum;
} batch;

static void layout_batch(batch *o, l2o_arena *arena, const l2o_mlp_shape *s) {
  L2O_TAKE(arena, o->N, BATCH * s->inputs);
  L2O_TAKE(arena, o->X, BATCH * s->inputs);
  L2O_TAKE(arena, o->H, BATCH * TEACHER_WIDTH);
  L2O_TAKE(arena, o->Z, BATCH * s->outputs);
  L2O_TAKE(arena, o->sum, BATCH * s->outputs);
}

/* The next samples of a stream, o->X (count, inputs), and what the teachers say, o->sum (count, outputs) */
static void draw_batch(const batch *o, const mlp_family *f, l2o_rng *rng, size_t count) {
  const l2o_mlp_shape *s = &f->shape;
  l2o_rng_normal(rng, o->N, count * s->inputs);
  l2o_gemm_double(o->X, o->N, f->drawn.B, true, count, s->inputs, s->inputs);
  memset(o->sum, 0, count * s->outputs * sizeof *o->sum);
  for (int k = 0; k < TEACHERS; k++) {
    l2o_gemm_double(o->H, o->X, f->drawn.U[k], true, count, TEACHER_WIDTH, s->inputs);
    for (size_t i = 0; i < count * TEACHER_WIDTH; i++)
      o->H[i] = tanh(o->H[i]);
    l2o_gemm_double(o->Z, o->H, f->drawn.V[k], true, count, s->outputs, TEACHER_WIDTH);
    for (size_t i = 0; i < count * s->outputs; i++)
      o->sum[i] += f->drawn.share[k] * o->Z[i];
  }
}

static size_t largest_of(const double *z, size_t n) {
  size_t best = 0;
  for (size_t c = 1; c < n; c++)
    best = z[c] > z[best] ? c : best;
  return best;
}

static void draw_start(l2o_real *x, const l2o_mlp *d, uint64_t seed, uint64_t index) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, STREAM_START, index);
  double inputs = 1; /* of a layer: its weight comes before its bias */
  for (size_t b = 0; b < d->block_count; b++) {
    const l2o_block *block = &d->blocks[b];
    inputs = block->kind == L2O_BLOCK_LINEAR ? (double)block->columns : inputs;
    for (size_t j = 0; j < block->rows * block->columns; j++)
      x[block->offset + j] = (l2o_real)((2 * l2o_rng_uniform(&rng) - 1) / sqrt(inputs));
  }
}

/* ---- instances ---- */

typedef struct parts {
  l2o_mlp *d;
  l2o_block *blocks;
  char (*names)[L2O_MLP_NAME];
  l2o_real *A, *target, *start;
  size_t *label, *row;
} parts;

static void layout(parts *o, l2o_arena *arena, const mlp_family *f) {
  const size_t blocks = l2o_mlp_block_count(&f->shape), drawn = f->source ? 0 : f->samples;
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->blocks, blocks);
  L2O_TAKE(arena, o->names, blocks);
  L2O_TAKE(arena, o->start, f->base.n);
  L2O_TAKE(arena, o->A, drawn * f->shape.inputs);
  L2O_TAKE(arena, o->target, f->regression ? drawn * f->shape.outputs : 0);
  L2O_TAKE(arena, o->label, f->regression ? 0 : drawn);
  L2O_TAKE(arena, o->row, f->chooses ? f->source->rows : 0);
}

static l2o_status draw_samples(const parts *own, const mlp_family *f, l2o_rng *rng) {
  const l2o_mlp_shape *s = &f->shape;
  batch o = {0};
  l2o_arena arena = {0};
  layout_batch(&o, &arena, s);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout_batch(&o, &arena, s);
  for (size_t first = 0; first < f->samples; first += BATCH) {
    const size_t count = f->samples - first < BATCH ? f->samples - first : BATCH;
    draw_batch(&o, f, rng, count);
    for (size_t i = 0; i < count * s->inputs; i++)
      own->A[first * s->inputs + i] = (l2o_real)o.X[i];
    for (size_t i = 0; i < count * s->outputs && f->regression; i++)
      own->target[first * s->outputs + i] = (l2o_real)o.sum[i];
    for (size_t i = 0; i < count && !f->regression; i++)
      own->label[first + i] = largest_of(o.sum + i * s->outputs, s->outputs);
  }
  free(arena.base);
  return L2O_OK;
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const mlp_family *f = (const mlp_family *)family;
  l2o_draws draws;
  parts own = {0};
  l2o_arena arena = {0};
  l2o_status status = l2o_draws_begin(&draws, family, seed, index, diag);
  layout(&own, &arena, f);
  if (status)
    return status;
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&own, &arena, f);
  *own.d = (l2o_mlp){.shape = f->shape,
                     .blocks = own.blocks,
                     .block_count = l2o_mlp_block_count(&f->shape),
                     .A = own.A,
                     .label = f->regression ? NULL : own.label,
                     .target = own.target,
                     .count = f->samples,
                     .start = own.start};
  l2o_mlp_blocks(own.blocks, own.names, &f->shape);
  draw_start(own.start, own.d, seed, index);
  if (f->source) {
    own.d->A = f->changed ? f->changed : f->source->A;
    own.d->label = f->regression ? NULL : f->source->class_of;
    own.d->target = f->target;
    own.d->row = f->chooses ? own.row : NULL;
    if (f->chooses)
      l2o_draws_choose(&draws, own.row, f->samples, f->source->rows);
  } else {
    status = draw_samples(&own, f, &draws.rng);
  }
  if (status)
    free(arena.base);
  else
    *out = (l2o_problem){.ops = &l2o_mlp_ops, .data = own.d, .n = f->base.n};
  return status;
}

/* ---- the family ---- */

static void free_family(l2o_family *family) {
  mlp_family *f = (mlp_family *)family;
  l2o_dataset_free(f->source);
  free(f->changed);
  free(f->target);
  free(f->drawn_block);
  free(f);
}

static l2o_status new_family(mlp_family **out, const l2o_mlp_shape *shape, const double *values, l2o_diag *diag) {
  const size_t most = shape->inputs > shape->outputs ? shape->inputs : shape->outputs;
  if (!l2o_fits_blas((size_t)values[OPTION_SAMPLES], most))
    return l2o_fail(diag, L2O_ERR_SHAPE, "mlp: %.0f samples of %zu numbers are too much", values[OPTION_SAMPLES], most);
  mlp_family *f = calloc(1, sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "mlp: out of memory");
  f->base = (l2o_family){
      .struct_size = sizeof f->base, .name = "mlp", .n = l2o_mlp_unknowns(shape), .sample = sample, .free = free_family};
  f->shape = *shape;
  f->samples = (size_t)values[OPTION_SAMPLES];
  f->regression = values[OPTION_LOSS] == REGRESSION;
  *out = f;
  return L2O_OK;
}

static l2o_mlp_shape shape_of(const double *values) {
  return (l2o_mlp_shape){.inputs = (size_t)values[OPTION_INPUTS],
                         .width = (size_t)values[OPTION_WIDTH],
                         .depth = (size_t)values[OPTION_DEPTH],
                         .outputs = (size_t)values[OPTION_OUTPUTS],
                         .activation = (l2o_hidden)values[OPTION_ACTIVATION],
                         .bias = values[OPTION_BIAS] != 0};
}

static l2o_status check_drawn(const double *values, l2o_diag *diag) {
  if (values[OPTION_SAMPLES] == 0)
    return l2o_fail(diag, L2O_ERR_ARG, "mlp: samples = 0 means all of the data, but there is no data: expected at least 1");
  if (values[OPTION_SUBSET] == SUBSET_RANDOM)
    return l2o_fail(diag, L2O_ERR_ARG, "mlp: subset = random chooses from data, but there is no data");
  if (values[OPTION_ROTATE] != 0)
    return l2o_fail(diag, L2O_ERR_ARG, "mlp: rotate = %g turns the images of data, but there is no data", values[OPTION_ROTATE]);
  if (values[OPTION_SCALE] != L2O_FEATURES_NONE)
    return l2o_fail(diag, L2O_ERR_ARG, "mlp: scale is for the features of data, but there is no data");
  if (values[OPTION_INPUTS] > MOST_DRAWN_INPUTS)
    return l2o_fail(diag, L2O_ERR_ARG, "mlp: inputs = %.0f is too many to draw their basis, expected at most %d",
                    values[OPTION_INPUTS], MOST_DRAWN_INPUTS);
  return L2O_OK;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const l2o_mlp_shape shape = shape_of(values);
  mlp_family *f = NULL;
  l2o_status status = check_drawn(values, diag);
  if (!status)
    status = new_family(&f, &shape, values, diag);
  if (status)
    return status;
  status = draw_task(f, (uint64_t)values[OPTION_TASK], values[OPTION_SHIFT]);
  if (status) {
    free_family(&f->base);
    return l2o_fail(diag, status, "mlp: drawing the task: %s", l2o_strerror(status));
  }
  *out = &f->base;
  return L2O_OK;
}

/* ---- from data ---- */

/* Outputs that the data asks for: a class each; of a regression one, or one for each class of images. */
static l2o_status outputs_for(size_t *outputs, const l2o_dataset *data, const double *values, l2o_diag *diag) {
  const size_t given = l2o_size_given(&options[OPTION_OUTPUTS], values[OPTION_OUTPUTS]), classes = data->class_count;
  const bool regression = values[OPTION_LOSS] == REGRESSION;
  if (!data->labels)
    return l2o_fail(diag, L2O_ERR_FORMAT, "mlp: %s has no labels", data->name);
  if (!regression && classes == 0)
    return l2o_fail(diag, L2O_ERR_FORMAT, "mlp: %s has more than %d distinct labels, too many for classes: set loss = regression",
                    data->name, (int)L2O_DATASET_CLASSES);
  *outputs = given ? given : regression && (classes == 0 || !data->image_height) ? 1 : classes;
  if (!regression && *outputs < classes)
    return l2o_fail(diag, L2O_ERR_SHAPE, "mlp: outputs = %zu, but the labels of %s are %zu classes", given, data->name, classes);
  if (regression && *outputs != 1 && *outputs != classes)
    return l2o_fail(diag, L2O_ERR_SHAPE, "mlp: outputs = %zu, expected 1, the label, or %zu, one for each label of %s", given,
                    classes, data->name);
  return L2O_OK;
}

static l2o_status check_data(const l2o_dataset *data, const double *values, l2o_diag *diag) {
  const size_t samples = l2o_size_given(&options[OPTION_SAMPLES], values[OPTION_SAMPLES]);
  const size_t inputs = l2o_size_given(&options[OPTION_INPUTS], values[OPTION_INPUTS]);
  if (values[OPTION_SHIFT] != 0)
    return l2o_fail(diag, L2O_ERR_ARG, "mlp: drift = %g moves the teacher of drawn data, but %s has labels of its own",
                    values[OPTION_SHIFT], data->name);
  if (values[OPTION_ROTATE] != 0 && !data->image_height)
    return l2o_fail(diag, L2O_ERR_ARG, "mlp: rotate = %g turns images, but the rows of %s are none", values[OPTION_ROTATE],
                    data->name);
  if (samples > data->rows)
    return l2o_fail(diag, L2O_ERR_SHAPE, "mlp: samples = %zu, but %s has %zu", samples, data->name, data->rows);
  if (inputs && inputs != data->features)
    return l2o_fail(diag, L2O_ERR_SHAPE, "mlp: inputs = %zu, but %s has %zu features", inputs, data->name, data->features);
  return L2O_OK;
}

/* f->changed: turned first, then scaled. */
static l2o_status change_features(mlp_family *f, const l2o_dataset *data, double degrees, int scale) {
  const size_t rows = data->rows, n = data->features, length = rows * n; /* fits: the data is there */
  l2o_real *turned = NULL;
  if (degrees != 0) {
    turned = malloc(length * sizeof *turned);
    for (size_t i = 0; turned && i < rows; i++)
      l2o_rotate_image(turned + i * n, data->A + i * n, data->image_height, data->image_width, degrees);
    if (!turned)
      return L2O_ERR_NOMEM;
  }
  f->changed = turned;
  if (scale == L2O_FEATURES_NONE)
    return L2O_OK;
  f->changed = malloc(length * sizeof *f->changed);
  const l2o_status status =
      f->changed ? l2o_scale_features(f->changed, turned ? turned : data->A, rows, n, scale, false) : L2O_ERR_NOMEM;
  free(turned);
  return status;
}

/* f->target: the label, or the unit vector of its class. */
static l2o_status take_targets(mlp_family *f, const l2o_dataset *data) {
  const size_t outputs = f->shape.outputs;
  f->target = calloc(data->rows * outputs, sizeof *f->target);
  for (size_t i = 0; f->target && i < data->rows; i++)
    if (outputs == 1)
      f->target[i] = (l2o_real)data->labels[i];
    else
      f->target[i * outputs + data->class_of[i]] = 1;
  return f->target ? L2O_OK : L2O_ERR_NOMEM;
}

static void write_note(mlp_family *f, const l2o_dataset *data, double degrees) {
  char turned[40] = "";
  if (degrees != 0)
    snprintf(turned, sizeof turned, ", turned by %g degrees", degrees);
  snprintf(f->note, sizeof f->note, "%.100s: %s %zu of %zu samples%s", data->name, f->chooses ? "any" : "the first", f->samples,
           data->rows, turned);
  f->base.note = f->note;
}

static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  l2o_mlp_shape shape = shape_of(values);
  mlp_family *f = NULL;
  shape.inputs = data->features;
  l2o_status status = check_data(data, values, diag);
  if (!status)
    status = outputs_for(&shape.outputs, data, values, diag);
  if (!status)
    status = new_family(&f, &shape, values, diag);
  if (status)
    return status;
  status = change_features(f, data, values[OPTION_ROTATE], (int)values[OPTION_SCALE]);
  if (!status && f->regression)
    status = take_targets(f, data);
  if (status) {
    free_family(&f->base);
    return l2o_fail(diag, status, "mlp: out of memory for %s", data->name);
  }
  if (f->samples == 0 || f->samples > data->rows)
    f->samples = data->rows;
  f->chooses = values[OPTION_SUBSET] == SUBSET_RANDOM;
  write_note(f, data, values[OPTION_ROTATE]);
  f->source = data;
  *out = &f->base;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_mlp = {
    .name = "mlp",
    .meaning =
        "a fully connected network, its layers as blocks: mean cross-entropy or squared error over samples, drawn or of data",
    .options = options,
    .gap = "initial",
    .create = create,
    .create_from = create_from,
};
