/* SPDX-License-Identifier: BSD-3-Clause */
/* Image restoration, patch by patch: from a photograph to an instance file of the family `qp`, and from the iterates that
 * l2o-eval dumps back to a photograph.
 *
 * The unknown x is a patch of SIDE x SIDE pixels. Blurring it gives its VALID x VALID inner pixels, whatever lies outside: that is
 * the matrix K, one for all patches. With y the pixels seen, the problem is
 *     f(x) = 1/2 |K x - y|^2 + RIDGE/2 |x|^2 = 1/2 |W x - Y|^2,   W = [K; sqrt(RIDGE) I],   Y = [y; 0].
 * The mean of y is taken off before and put back afterwards, so that the ridge pulls towards the grey of the patch and not towards
 * black (which would darken its rim, where x is hardly determined by y). */
#include <ctype.h>
#include <errno.h>
#include <l2o/l2o.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  RADIUS = 2,                /* of the blur */
  SIDE = 16,                 /* of a patch */
  VALID = SIDE - 2 * RADIUS, /* of what is seen of it */
  N = SIDE * SIDE,           /* unknowns */
  SEEN = VALID * VALID,      /* pixels seen */
  M = SEEN + N               /* rows of W */
};
static const double SIGMA = 1.2, NOISE = 0.002, RIDGE = 1e-2;

/* Grey values 0 (black) to 1 (white), row after row. */
typedef struct image {
  size_t width, height;
  double *pixels;
} image;

static _Noreturn void fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("l2o-deblur: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

static void check(l2o_status status, const l2o_diag *diag) {
  if (status)
    fail("%s", diag && diag->text[0] ? diag->text : l2o_strerror(status));
}

static void *reserve(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory)
    fail("out of memory");
  return memory;
}

static image image_new(size_t width, size_t height) {
  return (image){.width = width, .height = height, .pixels = reserve(width * height, sizeof(double))};
}

static image read_pgm(const char *path) {
  l2o_dataset *data;
  l2o_diag diag = {0};
  check(l2o_dataset_read_pgm(&data, path, &diag), &diag);
  image out = image_new(data->image_width, data->image_height);
  memcpy(out.pixels, data->A, out.width * out.height * sizeof *out.pixels);
  l2o_dataset_free(data);
  return out;
}

static void write_pgm(const char *path, image in) {
  FILE *file = fopen(path, "wb");
  if (!file)
    fail("%s: %s", path, strerror(errno));
  fprintf(file, "P5\n%zu %zu\n255\n", in.width, in.height);
  for (size_t i = 0; i < in.width * in.height; i++)
    putc((int)lround(255 * in.pixels[i]), file);
  bool failed = ferror(file);
  if (fclose(file) || failed)
    fail("%s: cannot be written: %s", path, strerror(errno));
}

/* To what an 8-bit file can hold. Every PSNR is taken after this, so that it is the PSNR of the picture on disk. */
static void quantise(image picture) {
  for (size_t i = 0; i < picture.width * picture.height; i++)
    picture.pixels[i] = round(255 * fmin(fmax(picture.pixels[i], 0), 1)) / 255;
}

/* Peak signal-to-noise ratio in decibels. */
static double psnr(image a, image b) {
  size_t count = a.width * a.height;
  double sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += (a.pixels[i] - b.pixels[i]) * (a.pixels[i] - b.pixels[i]);
  return -10 * log10(sum / (double)count);
}

/* The blur: weights of the (2 RADIUS + 1)^2 neighbours. */
static void gaussian(double kernel[2 * RADIUS + 1][2 * RADIUS + 1]) {
  double line[2 * RADIUS + 1], sum = 0;
  for (int i = 0; i <= 2 * RADIUS; i++)
    sum += line[i] = exp(-(i - RADIUS) * (i - RADIUS) / (2 * SIGMA * SIGMA));
  for (int i = 0; i <= 2 * RADIUS; i++)
    for (int j = 0; j <= 2 * RADIUS; j++)
      kernel[i][j] = line[i] * line[j] / (sum * sum);
}

static size_t clamped(size_t i, int shift, size_t length) {
  long j = (long)i + shift;
  return j < 0 ? 0 : (size_t)j >= length ? length - 1 : (size_t)j;
}

/* What the camera saw: blurred (outside the picture its edge goes on), with noise. */
static image blurred(image in, uint64_t seed) {
  double kernel[2 * RADIUS + 1][2 * RADIUS + 1];
  gaussian(kernel);
  image out = image_new(in.width, in.height);
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, 0);
  l2o_rng_normal(&rng, out.pixels, in.width * in.height);
  for (size_t r = 0; r < in.height; r++)
    for (size_t c = 0; c < in.width; c++) {
      double sum = NOISE * out.pixels[r * in.width + c];
      for (int i = -RADIUS; i <= RADIUS; i++)
        for (int j = -RADIUS; j <= RADIUS; j++)
          sum += kernel[i + RADIUS][j + RADIUS] * in.pixels[clamped(r, i, in.height) * in.width + clamped(c, j, in.width)];
      out.pixels[r * in.width + c] = sum;
    }
  return out;
}

/* W = [K; sqrt(RIDGE) I], (M, N). */
static void system_matrix(double *W) {
  double kernel[2 * RADIUS + 1][2 * RADIUS + 1];
  gaussian(kernel);
  memset(W, 0, sizeof *W * M * N);
  for (size_t r = 0; r < VALID; r++)
    for (size_t c = 0; c < VALID; c++)
      for (size_t i = 0; i <= 2 * RADIUS; i++)
        for (size_t j = 0; j <= 2 * RADIUS; j++)
          W[(r * VALID + c) * N + (r + i) * SIDE + c + j] = kernel[i][j];
  for (size_t i = 0; i < N; i++)
    W[(SEEN + i) * N + i] = sqrt(RIDGE);
}

/* The lower triangle of W'W becomes its Cholesky factor. One factor gives the exact minimum of every patch; the library, which
 * must not rely on a well-conditioned W'W, would decompose W again for each. */
static void factor(double *C, const double *W) {
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = 0;
      for (size_t k = 0; k < M; k++)
        sum += W[k * N + i] * W[k * N + j];
      for (size_t k = 0; k < j; k++)
        sum -= C[i * N + k] * C[j * N + k];
      C[i * N + j] = i == j ? sqrt(sum) : sum / C[j * N + j];
    }
}

/* min_x 1/2 |W x - Y|^2 */
static double minimum(const double *C, const double *W, const double *Y) {
  double x[N] = {0}, value = 0;
  for (size_t k = 0; k < SEEN; k++) /* x = W'Y; the rows below K meet zeros of Y */
    for (size_t i = 0; i < N; i++)
      x[i] += W[k * N + i] * Y[k];
  for (size_t i = 0; i < N; i++) { /* C z = W'Y */
    for (size_t k = 0; k < i; k++)
      x[i] -= C[i * N + k] * x[k];
    x[i] /= C[i * N + i];
  }
  for (size_t i = N; i-- > 0;) { /* C'x = z */
    x[i] /= C[i * N + i];
    for (size_t k = 0; k < i; k++)
      x[k] -= C[i * N + k] * x[i];
  }
  for (size_t k = 0; k < SEEN; k++) {
    double residual = -Y[k];
    for (size_t i = 0; i < N; i++)
      residual += W[k * N + i] * x[i];
    value += residual * residual / 2;
  }
  for (size_t i = 0; i < N; i++)
    value += RIDGE * x[i] * x[i] / 2;
  return value;
}

/* How many tiles of VALID pixels cover that length; the last one is moved back to end where the picture ends. */
static size_t tiles(size_t length) {
  return (length + VALID - 1) / VALID;
}
static size_t tile_start(size_t i, size_t length) {
  return i * VALID + VALID <= length ? i * VALID : length - VALID;
}

static void add(l2o_tensor_writer *writer, const char *name, l2o_dtype dtype, const double *values, const size_t *shape,
                size_t rank) {
  check(l2o_tensor_writer_add(writer, name, dtype, values, shape, rank), NULL);
}

/* patches: the tiles of the blurred picture as least-squares problems, all in order, or `count` of them in random order. */
static void patches(const char *picture, const char *path, size_t count, uint64_t seed) {
  image original = read_pgm(picture);
  if (original.width < VALID || original.height < VALID)
    fail("%s: smaller than a tile of %d x %d pixels", picture, VALID, VALID);
  image seen = blurred(original, seed);
  size_t columns = tiles(seen.width), all = columns * tiles(seen.height);
  if (count > all)
    fail("%s: has %zu tiles, not %zu", picture, all, count);
  size_t *order = reserve(all, sizeof *order);
  for (size_t i = 0; i < all; i++)
    order[i] = i;
  if (count) { /* Fisher and Yates */
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, 1, 0);
    for (size_t i = all - 1; i > 0; i--) {
      size_t j = (size_t)(l2o_rng_uniform(&rng) * (double)(i + 1)), swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
  } else
    count = all;

  double *W = reserve((size_t)M * N, sizeof *W), *C = reserve((size_t)N * N, sizeof *C);
  double *Y = reserve(count * M, sizeof *Y), *x0 = reserve(count * N, sizeof *x0), *fstar = reserve(count, sizeof *fstar);
  double *mean = reserve(count, sizeof *mean), *corner = reserve(count * 2, sizeof *corner);
  system_matrix(W);
  factor(C, W);
  for (size_t b = 0; b < count; b++) {
    size_t row = tile_start(order[b] / columns, seen.height), column = tile_start(order[b] % columns, seen.width);
    const double *tile = &seen.pixels[row * seen.width + column];
    corner[2 * b] = (double)row;
    corner[2 * b + 1] = (double)column;
    for (size_t i = 0; i < SEEN; i++)
      mean[b] += tile[i / VALID * seen.width + i % VALID] / SEEN;
    for (size_t i = 0; i < SEEN; i++)
      Y[b * M + i] = tile[i / VALID * seen.width + i % VALID] - mean[b];
    for (size_t i = 0; i < N; i++)
      x0[b * N + i] = Y[b * M + clamped(i / SIDE, -RADIUS, VALID) * VALID + clamped(i % SIDE, -RADIUS, VALID)];
    fstar[b] = minimum(C, W, &Y[b * M]);
  }

  l2o_tensor_writer *writer;
  l2o_diag diag = {0};
  check(l2o_tensor_writer_new(&writer), NULL);
  add(writer, "W", L2O_F64, W, (size_t[]){M, N}, 2);
  add(writer, "Y", L2O_F64, Y, (size_t[]){count, M}, 2);
  add(writer, "x0", L2O_F64, x0, (size_t[]){count, N}, 2);
  add(writer, "fstar", L2O_F64, fstar, (size_t[]){count}, 1);
  /* what the family does not read and `restore` does */
  add(writer, "mean", L2O_F64, mean, (size_t[]){count}, 1);
  add(writer, "corner", L2O_F64, corner, (size_t[]){count, 2}, 2);
  add(writer, "original", L2O_F64, original.pixels, (size_t[]){original.height, original.width}, 2);
  check(l2o_tensor_writer_save(writer, path, &diag), &diag);
  l2o_tensor_writer_free(writer);
  printf("%s: %zu of %zu patches of %s, %d unknowns each\n", path, count, all, picture, N);
  free(W), free(C), free(Y), free(x0), free(fstar), free(mean), free(corner), free(order);
  free(original.pixels), free(seen.pixels);
}

/* The array `name` of that rank as doubles. */
static double *load(const l2o_tensor_file *file, const char *path, const char *name, size_t rank, const l2o_tensor **tensor) {
  *tensor = l2o_tensor_file_find(file, name);
  if (!*tensor || (*tensor)->rank != rank)
    fail("%s: there is no array '%s' with %zu indices", path, name, rank);
  double *values = reserve((*tensor)->count ? (*tensor)->count : 1, sizeof *values);
  l2o_tensor_to_double(*tensor, values);
  return values;
}

/* restore: puts the centres of the patches together, as they were after `iteration` steps (SIZE_MAX: the last one of the dump). */
static void restore(const char *patch_path, const char *dump_path, const char *label, size_t iteration, const char *path) {
  l2o_diag diag = {0};
  l2o_tensor_file *patch_file, *dump;
  check(l2o_tensor_file_open(&patch_file, patch_path, &diag), &diag);
  check(l2o_tensor_file_open(&dump, dump_path, &diag), &diag);
  const l2o_tensor *t_mean, *t_corner, *t_original, *t_best, *t_objective;
  double *mean = load(patch_file, patch_path, "mean", 1, &t_mean);
  double *corner = load(patch_file, patch_path, "corner", 2, &t_corner);
  double *fstar = load(patch_file, patch_path, "fstar", 1, &t_best);
  image original = {.pixels = load(patch_file, patch_path, "original", 2, &t_original)};
  original.height = t_original->shape[0];
  original.width = t_original->shape[1];
  size_t count = t_mean->count;
  if (count == 0 || t_best->count != count || t_corner->shape[0] != count || t_corner->shape[1] != 2 || original.height < VALID ||
      original.width < VALID)
    fail("%s: not written by l2o-deblur patches", patch_path);

  char name[80];
  snprintf(name, sizeof name, "%s.objective", label);
  double *objective = load(dump, dump_path, name, 2, &t_objective);
  snprintf(name, sizeof name, "%s.X", label);
  /* Only one iterate is wanted of an array that may fill the memory: a view of that part of it. */
  const l2o_tensor *iterates = l2o_tensor_file_find(dump, name);
  if (!iterates || iterates->rank != 3 || iterates->dtype == L2O_I64)
    fail("%s: there is no array '%s' with 3 indices", dump_path, name);
  if (iterates->shape[1] != count || iterates->shape[2] != N || t_objective->shape[0] != iterates->shape[0] ||
      t_objective->shape[1] != count)
    fail("%s: holds other patches than %s", dump_path, patch_path);
  if (iteration == SIZE_MAX)
    iteration = iterates->shape[0] - 1;
  if (iteration >= iterates->shape[0])
    fail("%s: has %zu iterations of %s", dump_path, iterates->shape[0] - 1, label);
  l2o_tensor part = *iterates;
  part.rank = 2;
  part.shape[0] = count;
  part.shape[1] = N;
  part.count = count * N;
  part.data = (const char *)iterates->data + iteration * part.count * (iterates->dtype == L2O_F32 ? 4 : 8);
  double *x = reserve(part.count, sizeof *x);
  l2o_tensor_to_double(&part, x);

  image out = image_new(original.width, original.height);
  double *covered = reserve(out.width * out.height, sizeof *covered), value = 0, best = 0;
  for (size_t b = 0; b < count; b++) {
    double row = corner[2 * b], column = corner[2 * b + 1];
    if (!(row >= 0 && row <= (double)(out.height - VALID) && column >= 0 && column <= (double)(out.width - VALID)))
      fail("%s: patch %zu lies outside the picture", patch_path, b);
    for (size_t i = 0; i < SEEN; i++) {
      size_t at = ((size_t)row + i / VALID) * out.width + (size_t)column + i % VALID;
      out.pixels[at] = mean[b] + x[b * N + (i / VALID + RADIUS) * SIDE + i % VALID + RADIUS];
      covered[at] = 1;
    }
    value += objective[iteration * count + b] / (double)count;
    best += fstar[b] / (double)count;
  }
  for (size_t i = 0; i < out.width * out.height; i++)
    if (covered[i] == 0)
      fail("%s: does not cover its picture; take all patches", patch_path);
  quantise(out);
  write_pgm(path, out);
  printf("%s %zu %.6g %.6g %.3f\n", label, iteration, value, value / best - 1, psnr(out, original));
  free(mean), free(corner), free(fstar), free(original.pixels), free(objective), free(x), free(out.pixels), free(covered);
  l2o_tensor_file_free(patch_file);
  l2o_tensor_file_free(dump);
}

static void crop(const char *picture, const char *path, size_t column, size_t row, size_t width, size_t height) {
  image in = read_pgm(picture);
  if (width == 0 || height == 0 || column >= in.width || row >= in.height || width > in.width - column || height > in.height - row)
    fail("%s: has %zu x %zu pixels; that part lies outside", picture, in.width, in.height);
  image out = image_new(width, height);
  for (size_t i = 0; i < height; i++)
    memcpy(&out.pixels[i * width], &in.pixels[(row + i) * in.width + column], width * sizeof *out.pixels);
  write_pgm(path, out);
  free(in.pixels), free(out.pixels);
}

static void blur(const char *picture, const char *path, uint64_t seed) {
  image in = read_pgm(picture), out = blurred(in, seed);
  quantise(out);
  write_pgm(path, out);
  free(in.pixels), free(out.pixels);
}

static void compare(const char *path, const char *other) {
  image a = read_pgm(path), b = read_pgm(other);
  if (a.width != b.width || a.height != b.height)
    fail("%s and %s are of different sizes", path, other);
  printf("%.3f\n", psnr(a, b));
  free(a.pixels), free(b.pixels);
}

/* |a - b|, `gain` times darker than it is, on white. */
static void difference(const char *path, const char *other, uint64_t gain, const char *out_path) {
  image a = read_pgm(path), b = read_pgm(other);
  if (a.width != b.width || a.height != b.height)
    fail("%s and %s are of different sizes", path, other);
  for (size_t i = 0; i < a.width * a.height; i++)
    a.pixels[i] = 1 - (double)gain * fabs(a.pixels[i] - b.pixels[i]);
  quantise(a);
  write_pgm(out_path, a);
  free(a.pixels), free(b.pixels);
}

static const char USAGE[] =
    "usage: l2o-deblur patches IMAGE.pgm OUT.safetensors [--count N] [--seed S]   instances of the family qp; N: at random\n"
    "       l2o-deblur restore PATCHES DUMP LABEL [ITERATION] OUT.pgm             prints label, iteration, mean objective,\n"
    "                                                                             relative gap of that mean, PSNR\n"
    "       l2o-deblur blur IMAGE.pgm OUT.pgm [--seed S]                          what `patches` cuts into patches\n"
    "       l2o-deblur psnr A.pgm B.pgm\n"
    "       l2o-deblur difference A.pgm B.pgm GAIN OUT.pgm                        dark where they differ\n"
    "       l2o-deblur crop IMAGE.pgm OUT.pgm COLUMN ROW WIDTH HEIGHT\n";

static _Noreturn void wrong_use(void) {
  fputs(USAGE, stderr);
  exit(2);
}

static uint64_t number(const char *text) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (!isdigit((unsigned char)*text) || *end || errno)
    wrong_use();
  return value;
}

int main(int argc, char **argv) {
  const char *words[8] = {0};
  uint64_t count = 0, seed = 1;
  int given = 0;
  for (int i = 1; i < argc; i++) {
    bool is_count = strcmp(argv[i], "--count") == 0;
    if (is_count || strcmp(argv[i], "--seed") == 0) {
      if (i + 1 == argc)
        wrong_use();
      *(is_count ? &count : &seed) = number(argv[++i]);
    } else if (strcmp(argv[i], "--help") == 0) {
      fputs(USAGE, stdout);
      return 0;
    } else if (given == 8 || argv[i][0] == '-')
      wrong_use();
    else
      words[given++] = argv[i];
  }
  if (given == 3 && strcmp(words[0], "patches") == 0)
    patches(words[1], words[2], (size_t)count, seed);
  else if ((given == 5 || given == 6) && strcmp(words[0], "restore") == 0)
    restore(words[1], words[2], words[3], given == 6 ? (size_t)number(words[4]) : SIZE_MAX, words[given - 1]);
  else if (given == 3 && strcmp(words[0], "blur") == 0)
    blur(words[1], words[2], seed);
  else if (given == 3 && strcmp(words[0], "psnr") == 0)
    compare(words[1], words[2]);
  else if (given == 5 && strcmp(words[0], "difference") == 0)
    difference(words[1], words[2], number(words[3]), words[4]);
  else if (given == 7 && strcmp(words[0], "crop") == 0)
    crop(words[1], words[2], number(words[3]), number(words[4]), number(words[5]), number(words[6]));
  else
    wrong_use();
  return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
