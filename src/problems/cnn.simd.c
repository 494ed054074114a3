/* SPDX-License-Identifier: BSD-3-Clause */
/* As many images at a time as a vector has lanes: a plane of numbers is a plane of vectors, and everything between the pixels and
 * the gradient of these images stays in the caches. What four outputs under one maximum need is in 4 x 4 inputs, which are loaded
 * once. */
#include "problems/cnn.h"
#include "core/simd.h"

enum { SIDE = L2O_CNN_SIDE, SIDE1 = SIDE / 2, SIDE2 = SIDE / 4, MAXIMA1 = SIDE1 * SIDE1, MAXIMA2 = SIDE2 * SIDE2 };
enum { WIDTH0 = SIDE + 2, WIDTH1 = SIDE1 + 2, PLANE1 = WIDTH1 * WIDTH1 }; /* with borders */
enum { CHANNELS1 = 2, CHANNELS2 = 3, FEATURES = L2O_CNN_FEATURES, CLASSES = L2O_CNN_CLASSES, MOST_SUMS = 12 };

/* Planes of vectors; `features` and `errors` are those of every vector of images in turn. */
typedef struct planes {
  l2o_real *image, *maxima1, *slopes2, *which1, *slopes1, *which2, *features, *errors;
} planes;

static planes planes_in(l2o_real *room) {
  planes p = {.image = room};
  p.maxima1 = p.image + L2O_CNN_IMAGE * VR;
  p.slopes2 = p.maxima1 + L2O_CNN_POOLED * VR;
  p.which1 = p.slopes2 + L2O_CNN_SLOPES * VR;
  p.slopes1 = p.which1 + CHANNELS1 * MAXIMA1 * VR;
  p.which2 = p.slopes1 + CHANNELS1 * MAXIMA1 * VR;
  p.features = p.which2 + FEATURES * VR;
  p.errors = p.features + FEATURES * L2O_CNN_BLOCK;
  return p;
}

/* g[i stride] += the sum of the lanes of a[i] */
INLINE void add_sums(double *g, size_t stride, const vr *a, size_t count) {
  l2o_real sums[MOST_SUMS];
  UNROLL for (size_t i = 0; i < count; i += 4) {
    vr four[4];
    UNROLL for (size_t k = 0; k < 4; k++) four[k] = i + k < count ? a[i + k] : vr_zero();
    vr_sum4(sums + i, four);
  }
  for (size_t i = 0; i < count; i++)
    g[i * stride] += (double)sums[i];
}

/* ---- convolutions, for the 2 x 2 outputs k = 2 row + column that 4 x 4 inputs decide ---- */

/* sum_{o,k} += sum_{c,u,v} w_{o,c,u,v} in_c[row + u][column + v], o and c below `outputs` and `inputs`. Transposed, w is the array
 * of the convolution whose gradient is asked for: its roles of o and c are exchanged, and it is turned by 180 degrees. */
INLINE void convolve(vr *sum, const l2o_real *in, const l2o_real *w, size_t outputs, size_t inputs, size_t width, bool transposed) {
  UNROLL for (size_t c = 0; c < inputs; c++) {
    vr at[16];
    UNROLL for (size_t r = 0; r < 4; r++) UNROLL for (size_t s = 0; s < 4; s++) at[4 * r + s] =
        vr_load(in + ((c * width + r) * width + s) * VR);
    UNROLL for (size_t o = 0; o < outputs; o++) UNROLL for (size_t tap = 0; tap < 9; tap++) {
      const vr weight = vr_set(transposed ? w[9 * (c * outputs + o) + 8 - tap] : w[9 * (o * inputs + c) + tap]);
      const size_t first = 4 * (tap / 3) + tap % 3;
      UNROLL for (size_t k = 0; k < 4; k++) sum[4 * o + k] = vr_fma(weight, at[first + 4 * (k / 2) + k % 2], sum[4 * o + k]);
    }
  }
}

/* maximum = max(0, sum_0, ..., sum_3), which = the first k of the largest sum_k. Not-a-number stays. */
INLINE void pool(l2o_real *maximum, l2o_real *which, const vr *sum) {
  vr largest = sum[0], k = vr_zero();
  UNROLL for (int i = 1; i < 4; i++) {
    const vr_mask larger = vr_lt(largest, sum[i]);
    largest = vr_select(larger, sum[i], largest);
    k = vr_select(larger, vr_set((l2o_real)i), k);
  }
  vr_store(maximum, vr_max(vr_zero(), largest));
  vr_store(which, k);
}

/* The slope of the maximum is that of sum_which, and the other three have none. */
INLINE void unpool(vr *slope, vr d, const l2o_real *which) {
  const vr k = vr_load(which);
  UNROLL for (int i = 0; i < 4; i++) slope[i] = vr_select(vr_eq(k, vr_set((l2o_real)i)), d, vr_zero());
}

/* sum_{u,v} += sum_k slope_k in[row + u][column + v] */
INLINE void correlate(vr *sum, const vr *slope, const l2o_real *in, size_t width) {
  UNROLL for (size_t r = 0; r < 4; r++) UNROLL for (size_t s = 0; s < 4; s++) {
    const vr at = vr_keep(vr_load(in + (r * width + s) * VR));
    UNROLL for (size_t k = 0; k < 4; k++) {
      const size_t u = r - k / 2, v = s - k % 2; /* beyond 2 where slope k does not meet this input */
      if (u < 3 && v < 3)
        sum[3 * u + v] = vr_fma(slope[k], at, sum[3 * u + v]);
    }
  }
}

/* ---- the steps of one vector of images ---- */

/* Pixel by pixel instead of image by image. */
static void take_images(l2o_real *plane, const l2o_cnn_images *images, size_t first) {
  const vr shift = vr_set(images->shift), scale = vr_set(images->scale);
  size_t column = 0;
  l2o_real *to = plane + (WIDTH0 + 1) * VR;
  for (size_t pixel = 0; pixel < L2O_CNN_PIXELS; pixel += VR) {
    vr lane[VR];
    UNROLL for (size_t i = 0; i < VR; i++) lane[i] = vr_load(images->image[first + i] + pixel);
    vr_transpose(lane);
    UNROLL for (size_t i = 0; i < VR; i++) {
      vr_store(to, vr_mul(vr_sub(lane[i], shift), scale));
      const bool last = ++column == SIDE;
      column = last ? 0 : column;
      to += last ? 3 * VR : VR;
    }
  }
}

static void first_layer(const planes *p, const l2o_real *x) {
  for (size_t i = 0; i < SIDE1; i++)
    for (size_t j = 0; j < SIDE1; j++) {
      vr sum[4 * CHANNELS1];
      UNROLL for (size_t o = 0; o < CHANNELS1; o++) UNROLL for (size_t k = 0; k < 4; k++) sum[4 * o + k] =
          vr_set(x[L2O_CNN_BIAS1 + o]);
      convolve(sum, p->image + 2 * (i * WIDTH0 + j) * VR, x + L2O_CNN_WEIGHT1, CHANNELS1, 1, WIDTH0, false);
      UNROLL for (size_t o = 0; o < CHANNELS1; o++) pool(p->maxima1 + (o * PLANE1 + (i + 1) * WIDTH1 + j + 1) * VR,
                                                         p->which1 + (o * MAXIMA1 + i * SIDE1 + j) * VR, sum + 4 * o);
    }
}

static void second_layer(l2o_real *features, const planes *p, const l2o_real *x) {
  for (size_t i = 0; i < SIDE2; i++)
    for (size_t j = 0; j < SIDE2; j++) {
      vr sum[4 * CHANNELS2];
      UNROLL for (size_t o = 0; o < CHANNELS2; o++) UNROLL for (size_t k = 0; k < 4; k++) sum[4 * o + k] =
          vr_set(x[L2O_CNN_BIAS2 + o]);
      convolve(sum, p->maxima1 + 2 * (i * WIDTH1 + j) * VR, x + L2O_CNN_WEIGHT2, CHANNELS2, CHANNELS1, WIDTH1, false);
      UNROLL for (size_t o = 0; o < CHANNELS2; o++) {
        const size_t at = o * MAXIMA2 + i * SIDE2 + j;
        pool(features + at * VR, p->which2 + at * VR, sum + 4 * o);
      }
    }
}

/* errors_c = share (exp(z_c) / sum_c' exp(z_c') - [c = label]); returns share (ln sum_c exp(z_c) - z_label). */
static vr last_layer(l2o_real *errors, const l2o_real *features, const l2o_real *x, const l2o_real *label_at,
                     const l2o_real *share_at) {
  const vr label = vr_load(label_at), share = vr_load(share_at), one = vr_set(1);
  vr z[CLASSES], largest, total = vr_zero(), of_label = vr_zero();
  UNROLL for (size_t c = 0; c < CLASSES; c++) z[c] = vr_set(x[L2O_CNN_BIAS3 + c]);
  for (size_t j = 0; j < FEATURES; j++) {
    const vr feature = vr_load(features + j * VR);
    UNROLL for (size_t c = 0; c < CLASSES; c++) z[c] = vr_fma(vr_set(x[L2O_CNN_WEIGHT3 + c * FEATURES + j]), feature, z[c]);
  }
  largest = z[0];
  UNROLL for (size_t c = 1; c < CLASSES; c++) largest = vr_max(z[c], largest);
  for (size_t c = 0; c < CLASSES; c++) {
    const vr shifted = vr_sub(z[c], largest);
    of_label = vr_select(vr_eq(label, vr_set((l2o_real)c)), shifted, of_label);
    z[c] = vr_exp(shifted);
    total = vr_add(total, z[c]);
  }
  for (size_t c = 0; c < CLASSES; c++) {
    const vr hit = vr_select(vr_eq(label, vr_set((l2o_real)c)), one, vr_zero());
    vr_store(errors + c * VR, vr_mul(share, vr_sub(vr_div(z[c], total), hit)));
  }
  return vr_mul(share, vr_sub(vr_log1p(vr_sub(total, one)), of_label)); /* one of the exponentials is 1 */
}

/* From the errors to the slopes of the second convolution, and its bias. */
static void last_layer_backward(double *g, const planes *p, const l2o_real *x, const l2o_real *features, const l2o_real *errors) {
  vr error[CLASSES];
  UNROLL for (size_t c = 0; c < CLASSES; c++) error[c] = vr_load(errors + c * VR);
  for (size_t o = 0; o < CHANNELS2; o++) {
    vr bias = vr_zero();
    for (size_t i = 0; i < SIDE2; i++)
      for (size_t j = 0; j < SIDE2; j++) {
        const size_t at = o * MAXIMA2 + i * SIDE2 + j;
        vr d = vr_zero(), slope[4];
        UNROLL for (size_t c = 0; c < CLASSES; c++) d = vr_fma(vr_set(x[L2O_CNN_WEIGHT3 + c * FEATURES + at]), error[c], d);
        d = vr_select(vr_eq(vr_load(features + at * VR), vr_zero()), vr_zero(), d); /* the rectifier's slope is 0 at 0 */
        bias = vr_add(bias, d);
        unpool(slope, d, p->which2 + at * VR);
        l2o_real *to = p->slopes2 + (o * PLANE1 + (2 * i + 1) * WIDTH1 + 2 * j + 1) * VR;
        UNROLL for (size_t k = 0; k < 4; k++) vr_store(to + (k / 2 * WIDTH1 + k % 2) * VR, slope[k]);
      }
    add_sums(g + L2O_CNN_BIAS2 + o, 1, &bias, 1);
  }
}

static void second_layer_backward(double *g, const planes *p, const l2o_real *x) {
  for (size_t o = 0; o < CHANNELS2; o++)
    for (size_t c = 0; c < CHANNELS1; c++) {
      vr sum[9];
      UNROLL for (size_t tap = 0; tap < 9; tap++) sum[tap] = vr_zero();
      for (size_t i = 0; i < SIDE2; i++)
        for (size_t j = 0; j < SIDE2; j++) {
          const l2o_real *slopes = p->slopes2 + (o * PLANE1 + (2 * i + 1) * WIDTH1 + 2 * j + 1) * VR;
          vr slope[4];
          UNROLL for (size_t k = 0; k < 4; k++) slope[k] = vr_load(slopes + (k / 2 * WIDTH1 + k % 2) * VR);
          correlate(sum, slope, p->maxima1 + (c * PLANE1 + 2 * (i * WIDTH1 + j)) * VR, WIDTH1);
        }
      add_sums(g + L2O_CNN_WEIGHT2 + 9 * (o * CHANNELS1 + c), 1, sum, 9);
    }
  for (size_t i = 0; i < SIDE2; i++)
    for (size_t j = 0; j < SIDE2; j++) {
      vr sum[4 * CHANNELS1];
      UNROLL for (size_t k = 0; k < 4 * CHANNELS1; k++) sum[k] = vr_zero();
      convolve(sum, p->slopes2 + 2 * (i * WIDTH1 + j) * VR, x + L2O_CNN_WEIGHT2, CHANNELS1, CHANNELS2, WIDTH1, true);
      UNROLL for (size_t o = 0; o < CHANNELS1; o++) UNROLL for (size_t k = 0; k < 4; k++) {
        const size_t row = 2 * i + k / 2, column = 2 * j + k % 2;
        const vr maximum = vr_load(p->maxima1 + (o * PLANE1 + (row + 1) * WIDTH1 + column + 1) * VR);
        vr_store(p->slopes1 + (o * MAXIMA1 + row * SIDE1 + column) * VR,
                 vr_select(vr_eq(maximum, vr_zero()), vr_zero(), sum[4 * o + k]));
      }
    }
}

static void first_layer_backward(double *g, const planes *p) {
  for (size_t o = 0; o < CHANNELS1; o++) {
    vr sum[9], bias = vr_zero();
    UNROLL for (size_t tap = 0; tap < 9; tap++) sum[tap] = vr_zero();
    for (size_t i = 0; i < SIDE1; i++)
      for (size_t j = 0; j < SIDE1; j++) {
        const size_t at = o * MAXIMA1 + i * SIDE1 + j;
        vr slope[4];
        const vr d = vr_load(p->slopes1 + at * VR);
        bias = vr_add(bias, d);
        unpool(slope, d, p->which1 + at * VR);
        correlate(sum, slope, p->image + 2 * (i * WIDTH0 + j) * VR, WIDTH0);
      }
    add_sums(g + L2O_CNN_WEIGHT1 + 9 * o, 1, sum, 9);
    add_sums(g + L2O_CNN_BIAS1 + o, 1, &bias, 1);
  }
}

/* Weights of the last layer: += sum over the images of errors_c features_j, and of errors_c. */
static void add_products(double *g, const planes *p, size_t vectors) {
  for (size_t j = 0; j <= FEATURES; j++) {
    vr sum[CLASSES];
    UNROLL for (size_t c = 0; c < CLASSES; c++) sum[c] = vr_zero();
    for (size_t i = 0; i < vectors; i++) {
      const vr feature = j < FEATURES ? vr_load(p->features + (i * FEATURES + j) * VR) : vr_set(1);
      UNROLL for (size_t c = 0; c < CLASSES; c++) sum[c] = vr_fma(vr_load(p->errors + (i * CLASSES + c) * VR), feature, sum[c]);
    }
    if (j < FEATURES)
      add_sums(g + L2O_CNN_WEIGHT3 + j, FEATURES, sum, CLASSES);
    else
      add_sums(g + L2O_CNN_BIAS3, 1, sum, CLASSES);
  }
}

void L2O_HERE(l2o_cnn_add)(double *loss, double *g, const l2o_real *x, const l2o_cnn_images *images, l2o_real *room) {
  const planes p = planes_in(room);
  size_t vectors = 0;
  for (size_t first = 0; first < images->count; first += VR, vectors++) {
    l2o_real *features = p.features + vectors * FEATURES * VR, *errors = p.errors + vectors * CLASSES * VR;
    take_images(p.image, images, first);
    first_layer(&p, x);
    second_layer(features, &p, x);
    const vr losses = last_layer(errors, features, x, images->label + first, images->share + first);
    add_sums(loss, 1, &losses, 1);
    if (!g)
      continue;
    last_layer_backward(g, &p, x, features, errors);
    second_layer_backward(g, &p, x);
    first_layer_backward(g, &p);
  }
  if (g)
    add_products(g, &p, vectors);
}
