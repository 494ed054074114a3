/* SPDX-License-Identifier: BSD-3-Clause */
/* Training of a small convolutional network: f(x) = 1/N sum_i ln(sum_c exp(z_ic)) - z_{i,y_i} + l2/2 |x|^2, z_i = network(x, image
 * i), the network of cnn.h. Images: those of a data set, or drawn: ten templates N(0, 1) smoothed by a box of 5 x 5 pixels, and an
 * image is its template + 0.5 N(0, 1). Start: uniform in +-1/sqrt(inputs of a unit), tensor by tensor, as PyTorch initialises. */
#include "problems/cnn.h"
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/draws.h"
#include "problems/instance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = L2O_CNN_SIDE, PIXELS = L2O_CNN_PIXELS, CLASSES = L2O_CNN_CLASSES, UNKNOWNS = L2O_CNN_UNKNOWNS, BOX = 2 };

/* p->data: in one block with what the instance owns */
typedef struct instance {
  const l2o_real *pixels; /* (rows, 784) */
  const uint8_t *label;   /* (rows) */
  const size_t *row;      /* (count), the images that take part; NULL: the first ones */
  size_t count;
  double l2;
  l2o_real shift, scale; /* of pixels: see l2o_cnn_images */
  const l2o_real *start;
} instance;

/* ---- the function ---- */

static const size_t cache_line = 64;

/* The kernel's room and 1557 sums in double, wherever the caller's reals begin. */
static size_t work_len(const l2o_problem *p) {
  (void)p;
  return L2O_CNN_ROOM + (cache_line + UNKNOWNS * sizeof(double)) / sizeof(l2o_real);
}

/* The mean over the images rows[count] (NULL: 0, 1, ...) of the instance. */
static void mean(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                 l2o_real *work) {
  const instance *d = p->data;
  l2o_real *room = (l2o_real *)(((uintptr_t)work + cache_line - 1) & ~(uintptr_t)(cache_line - 1));
  double *sum = (double *)(void *)(room + L2O_CNN_ROOM), loss = 0;
  l2o_cnn_images images = {.shift = d->shift, .scale = d->scale};
  memset(room, 0, L2O_CNN_BORDERED * L2O_CNN_LANES * sizeof *room);
  memset(sum, 0, UNKNOWNS * sizeof *sum);
  for (size_t first = 0; first < count; first += L2O_CNN_BLOCK) {
    images.count = count - first < L2O_CNN_BLOCK ? count - first : L2O_CNN_BLOCK;
    for (size_t i = 0; i < L2O_CNN_BLOCK; i++) {
      const size_t at = first + (i < images.count ? i : 0), chosen = rows ? rows[at] : at, row = d->row ? d->row[chosen] : chosen;
      images.image[i] = d->pixels + row * PIXELS;
      images.label[i] = d->label[row];
      images.share[i] = i < images.count;
    }
    l2o_cnn_add(&loss, g ? sum : NULL, x, &images, room);
  }
  *f = loss / (double)count + (d->l2 > 0 ? d->l2 / 2 * l2o_dot(x, x, UNKNOWNS) : 0);
  for (size_t j = 0; g && j < UNKNOWNS; j++)
    g[j] = (l2o_real)(sum[j] / (double)count + d->l2 * (double)x[j]);
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  mean(p, f, NULL, x, NULL, ((const instance *)p->data)->count, work);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  mean(p, f, g, x, NULL, ((const instance *)p->data)->count, work);
  return L2O_OK;
}

static size_t summands(const l2o_problem *p) {
  return ((const instance *)p->data)->count;
}

static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  mean(p, f, g, x, rows, count, work);
  return L2O_OK;
}

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  memcpy(x0, ((const instance *)p->data)->start, UNKNOWNS * sizeof *x0);
  return L2O_OK;
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "cnn",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .start = start,
    .free = release,
    .summands = summands,
    .partial = partial,
};

/* ---- instances ---- */

enum { OPTION_IMAGES, OPTION_L2, OPTION_SUBSET, OPTION_SAMPLER };
enum { SUBSET_FIRST, SUBSET_RANDOM };
static const l2o_option options[] = {
    {"images", L2O_OPTION_INT, 2000, 0, 1e6, NULL, "images that the mean is taken over; 0: all of the data"},
    {"l2", L2O_OPTION_REAL, 0, 0, 1e6, NULL, "weight of 1/2 |x|^2"},
    {"subset", L2O_OPTION_CHOICE, SUBSET_FIRST, 0, 0, "first|random",
     "which images of the data: the first ones, or others for every instance, drawn without replacement"},
    L2O_SAMPLER_OPTION,
    {0},
};

typedef struct cnn_family {
  l2o_family base; /* first: the family handle points here */
  size_t images;
  double l2;
  bool chooses; /* subset = random */
  /* of families from data */
  l2o_dataset *source;
  uint8_t *label;
  char note[160];
} cnn_family;

typedef struct parts {
  instance *d;
  l2o_real *pixels, *start;
  uint8_t *label;
  size_t *row;
} parts;

static void layout(parts *o, l2o_arena *arena, const cnn_family *f) {
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->start, UNKNOWNS);
  L2O_TAKE(arena, o->pixels, f->source ? 0 : f->images * PIXELS);
  L2O_TAKE(arena, o->label, f->source ? 0 : f->images);
  L2O_TAKE(arena, o->row, f->chooses ? f->source->rows : 0);
}

/* out = the sums of `in` over the box of 5 x 5 pixels, zeros beyond the image, divided by 25 */
static void smooth(double *out, const double *in) {
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      double sum = 0;
      for (int r = i - BOX; r <= i + BOX; r++)
        for (int s = j - BOX; s <= j + BOX; s++)
          sum += r >= 0 && r < SIDE && s >= 0 && s < SIDE ? in[r * SIDE + s] : 0;
      out[i * SIDE + j] = sum / 25;
    }
}

/* Image i shows class i mod 10. */
static l2o_status draw_images(l2o_real *pixels, uint8_t *label, size_t count, l2o_draws *draws) {
  double *templates = malloc((CLASSES + 1) * PIXELS * sizeof *templates), *drawn = templates + CLASSES * PIXELS;
  if (!templates)
    return L2O_ERR_NOMEM;
  for (size_t c = 0; c < CLASSES; c++) {
    l2o_draws_normal(draws, drawn, PIXELS);
    smooth(templates + c * PIXELS, drawn);
  }
  for (size_t i = 0; i < count; i++) {
    label[i] = (uint8_t)(i % CLASSES);
    l2o_draws_normal(draws, drawn, PIXELS);
    for (size_t j = 0; j < PIXELS; j++)
      pixels[i * PIXELS + j] = (l2o_real)(templates[label[i] * PIXELS + j] + 0.5 * drawn[j]);
  }
  free(templates);
  return L2O_OK;
}

static void draw_start(l2o_real *x, l2o_draws *draws) {
  static const struct {
    size_t end, inputs;
  } tensors[] = {{L2O_CNN_WEIGHT2, 9}, {L2O_CNN_WEIGHT3, 18}, {UNKNOWNS, L2O_CNN_FEATURES}}; /* a bias as its weights */
  for (size_t t = 0, j = 0; t < 3; t++)
    for (; j < tensors[t].end; j++)
      x[j] = (l2o_real)((2 * l2o_draws_uniform(draws) - 1) / sqrt((double)tensors[t].inputs));
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const cnn_family *f = (const cnn_family *)family;
  l2o_draws draws;
  parts own = {0};
  l2o_arena arena = {0};
  l2o_status status = l2o_draws_begin(&draws, family, seed, index, diag);
  if (status)
    return status;
  layout(&own, &arena, f);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&own, &arena, f);
  *own.d = (instance){.count = f->images, .l2 = f->l2, .start = own.start, .scale = 1};
  if (f->source) {
    own.d->pixels = f->source->A;
    own.d->label = f->label;
    own.d->row = f->chooses ? own.row : NULL;
    own.d->shift = (l2o_real)0.1307; /* mean and deviation of the pixels of MNIST */
    own.d->scale = (l2o_real)(1 / 0.3081);
    if (f->chooses)
      l2o_draws_choose(&draws, own.row, f->images, f->source->rows);
  } else {
    own.d->pixels = own.pixels;
    own.d->label = own.label;
    status = draw_images(own.pixels, own.label, f->images, &draws);
  }
  draw_start(own.start, &draws);
  if (status)
    free(arena.base);
  else
    *out = (l2o_problem){.ops = &ops, .data = own.d, .n = UNKNOWNS};
  return status;
}

/* ---- the family ---- */

static void free_family(l2o_family *family) {
  cnn_family *f = (cnn_family *)family;
  l2o_dataset_free(f->source);
  free(f->label);
  free(f);
}

static l2o_status new_family(cnn_family **out, const double *values, l2o_diag *diag) {
  cnn_family *f = calloc(1, sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "cnn: out of memory");
  f->base = (l2o_family){.struct_size = sizeof f->base,
                         .name = "cnn",
                         .n = UNKNOWNS,
                         .sample = sample,
                         .free = free_family,
                         .plain_seeds = values[OPTION_SAMPLER] == L2O_SAMPLER_MT19937};
  f->images = (size_t)values[OPTION_IMAGES];
  f->l2 = values[OPTION_L2];
  *out = f;
  return L2O_OK;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  cnn_family *f = NULL;
  if (values[OPTION_IMAGES] == 0)
    return l2o_fail(diag, L2O_ERR_ARG, "cnn: images = 0 means all images of the data, but there is no data: expected at least 1");
  if (values[OPTION_SUBSET] == SUBSET_RANDOM)
    return l2o_fail(diag, L2O_ERR_ARG, "cnn: subset = random chooses from data, but there is no data");
  l2o_status status = new_family(&f, values, diag);
  if (!status)
    *out = &f->base;
  return status;
}

static l2o_status check_data(const l2o_dataset *data, const double *values, l2o_diag *diag) {
  const size_t images = l2o_size_given(&options[OPTION_IMAGES], values[OPTION_IMAGES]);
  if (data->image_height && (data->image_height != SIDE || data->image_width != SIDE))
    return l2o_fail(diag, L2O_ERR_SHAPE, "cnn: the images of %s are %zux%zu pixels, expected %dx%d", data->name, data->image_height,
                    data->image_width, SIDE, SIDE);
  if (data->features != PIXELS)
    return l2o_fail(diag, L2O_ERR_SHAPE, "cnn: %s has %zu features, expected %d, the pixels of an image of %dx%d", data->name,
                    data->features, PIXELS, SIDE, SIDE);
  if (!data->labels)
    return l2o_fail(diag, L2O_ERR_FORMAT, "cnn: %s has no labels", data->name);
  for (size_t i = 0; i < data->rows; i++)
    if (!(data->labels[i] >= 0 && data->labels[i] < CLASSES) || data->labels[i] != floor(data->labels[i]))
      return l2o_fail(diag, L2O_ERR_FORMAT, "cnn: label %zu of %s is %.10g, expected a digit from 0 to 9", i, data->name,
                      data->labels[i]);
  if (images > data->rows)
    return l2o_fail(diag, L2O_ERR_SHAPE, "cnn: images = %zu, but %s has %zu", images, data->name, data->rows);
  return L2O_OK;
}

static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  cnn_family *f = NULL;
  l2o_status status = check_data(data, values, diag);
  if (!status)
    status = new_family(&f, values, diag);
  if (status)
    return status;
  f->label = malloc(data->rows * sizeof *f->label);
  if (!f->label) {
    free_family(&f->base);
    return l2o_fail(diag, L2O_ERR_NOMEM, "cnn: out of memory for the labels of %s", data->name);
  }
  for (size_t i = 0; i < data->rows; i++)
    f->label[i] = (uint8_t)data->labels[i];
  if (f->images == 0 || f->images > data->rows)
    f->images = data->rows;
  f->chooses = values[OPTION_SUBSET] == SUBSET_RANDOM;
  snprintf(f->note, sizeof f->note, "%.100s: %s %zu of %zu images", data->name, f->chooses ? "any" : "the first", f->images,
           data->rows);
  f->base.note = f->note;
  f->source = data;
  *out = &f->base;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_cnn = {
    .name = "cnn",
    .meaning = "a convolutional network of 1557 weights on images of 28x28 pixels, ten classes: mean cross-entropy + l2/2 |x|^2",
    .options = options,
    .gap = "initial",
    .create = create,
    .create_from = create_from,
};
