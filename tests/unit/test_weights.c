/* SPDX-License-Identifier: BSD-3-Clause */
/* Weights in files: written and read back, in one file and in several, in every dtype; what does not fit, and that x is then as it
 * was; families that start there. */
#include "failing_malloc.h"

#include <l2o/tensor_file.h>
#include <sys/stat.h>

static const char mlp[] = "mlp:inputs=3,width=4,depth=1,outputs=2,samples=6"; /* n = 12 + 4 + 8 + 2 = 26 */
enum { N = 26 };

static l2o_real *weights(const l2o_problem *p, uint64_t seed) {
  l2o_real *x = malloc(p->n * sizeof *x);
  normal_reals(x, p->n, seed);
  return x;
}

static void write_text(const char *name, const char *text) {
  FILE *stream = fopen(in_folder(name), "wb");
  assert_non_null(stream);
  assert_true(fputs(text, stream) >= 0);
  assert_int_equal(fclose(stream), 0);
}

/* ---- a file of tensors as a test wants it ---- */

typedef struct entry {
  const char *name;
  size_t rows, columns; /* rows 0: a vector */
  double value;         /* of all its elements: value, value + 1, ... */
} entry;

static void write_tensors(const char *name, const entry *entries, size_t count, l2o_dtype dtype) {
  l2o_tensor_writer *writer;
  l2o_diag diag = {""};
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (size_t i = 0; i < count; i++) {
    const size_t shape[2] = {entries[i].rows ? entries[i].rows : entries[i].columns, entries[i].columns};
    const size_t length = (entries[i].rows ? entries[i].rows : 1) * entries[i].columns;
    double values[64];
    for (size_t j = 0; j < length; j++)
      values[j] = entries[i].value + (double)j;
    assert_status(l2o_tensor_writer_add(writer, entries[i].name, dtype, values, shape, entries[i].rows ? 2 : 1), L2O_OK, NULL);
  }
  assert_status(l2o_tensor_writer_save(writer, in_folder(name), &diag), L2O_OK, &diag);
  l2o_tensor_writer_free(writer);
}

static const entry whole[] = {
    {"layers.0.weight", 4, 3, 1}, {"layers.1.bias", 0, 2, 200}, {"layers.1.weight", 2, 4, 300}, {"layers.0.bias", 0, 4, 100}};

static void assert_is_whole(const l2o_real *x) {
  for (size_t j = 0; j < N; j++) {
    const double expected = j < 12 ? 1 + (double)j : j < 16 ? 88 + (double)j : j < 24 ? 284 + (double)j : 176 + (double)j;
    assert_true((double)x[j] == expected);
  }
}

/* ---- good files ---- */

static void weights_come_back_bit_for_bit(void **state) {
  (void)state;
  static const char *const specs[] = {mlp, "quadratic:n=7", "mlp:inputs=300,width=90,samples=2,bias=false"};
  for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
    l2o_problem p = sampled(specs[k], 1, 0);
    l2o_diag diag = {""};
    l2o_tensor_file *file;
    l2o_real *x = weights(&p, 3), *y = weights(&p, 4);
    x[0] = 0, x[1] = -x[0], x[2] = (l2o_real)BY_PRECISION(5e-324, 1.4e-45f);
    assert_status(l2o_weights_save(&p, x, in_folder("w"), &diag), L2O_OK, &diag);
    assert_status(l2o_weights_load(&p, y, in_folder("w"), &diag), L2O_OK, &diag);
    assert_same_reals(x, y, p.n);
    assert_status(l2o_tensor_file_open(&file, in_folder("w"), &diag), L2O_OK, &diag);
    size_t count;
    const l2o_block *b = l2o_problem_blocks(&p, &count);
    assert_int_equal(l2o_tensor_file_count(file), b ? count : 1);
    for (size_t i = 0; i < count; i++) {
      const l2o_tensor *t = l2o_tensor_file_find(file, b[i].name);
      assert_non_null(t);
      assert_true(t->dtype == BY_PRECISION(L2O_F64, L2O_F32) && t->rank == b[i].rank && t->count == b[i].rows * b[i].columns);
      double *values = malloc(t->count * sizeof *values);
      l2o_tensor_to_double(t, values);
      for (size_t j = 0; j < t->count; j++)
        assert_true(values[j] == (double)x[b[i].offset + j]);
      free(values);
    }
    assert_true(b || l2o_tensor_file_find(file, "x")->count == p.n);
    l2o_tensor_file_free(file);
    l2o_problem_free(&p);
    free(x), free(y);
  }
}

static void tensors_may_stand_in_any_order_and_in_several_files(void **state) {
  (void)state;
  l2o_problem p = sampled(mlp, 1, 0);
  l2o_diag diag = {""};
  l2o_real x[N] = {0};
  assert_int_equal(p.n, N);
  write_tensors("model.safetensors", whole, 4, L2O_F32);
  assert_status(l2o_weights_load(&p, x, in_folder("model.safetensors"), &diag), L2O_OK, &diag);
  assert_is_whole(x);
  memset(x, 0, sizeof x);
  assert_status(l2o_weights_load(&p, x, folder, &diag), L2O_OK, &diag);
  assert_is_whole(x);
  unlink(in_folder("model.safetensors"));
  write_tensors("a.safetensors", whole, 1, L2O_F64);
  write_tensors("b.safetensors", whole + 1, 3, L2O_F32);
  write_text("model.safetensors.index.json",
             "{\"metadata\": {\"total_size\": 104}, \"weight_map\": {\"layers.0.weight\": \"a.safetensors\", \"layers.0.bias\": "
             "\"b.safetensors\", \"layers.1.weight\": \"b.safetensors\", \"layers.1.bias\": \"b.safetensors\"}}\n");
  memset(x, 0, sizeof x);
  assert_status(l2o_weights_load(&p, x, folder, &diag), L2O_OK, &diag);
  assert_is_whole(x);
  l2o_problem_free(&p);
}

/* ---- 16 bits ---- */

static size_t put_file(unsigned char *bytes, const char *header, const void *data, size_t length) {
  const size_t size = strlen(header);
  memset(bytes, 0, 8);
  bytes[0] = (unsigned char)size, bytes[1] = (unsigned char)(size >> 8);
  memcpy(bytes + 8, header, size);
  memcpy(bytes + 8 + size, data, length);
  return 8 + size + length;
}

/* The definition of the two formats. */
static double plain16(unsigned bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1, exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double fraction = (double)(bits & ((1u << fraction_bits) - 1)) / (1 << fraction_bits), sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1)
    return fraction > 0 ? (double)NAN : sign * (double)INFINITY;
  return sign * (exponent ? ldexp(1 + fraction, exponent - bias) : ldexp(fraction, 1 - bias));
}

static void all_numbers_of_16_bits(void **state) {
  (void)state;
  enum { ALL = 65536 };
  static unsigned char data[2 * ALL], bytes[2 * ALL + 200];
  double *values = malloc(ALL * sizeof *values), piece[1000];
  for (size_t i = 0; i < ALL; i++)
    data[2 * i] = (unsigned char)i, data[2 * i + 1] = (unsigned char)(i >> 8);
  for (int brain = 0; brain < 2; brain++) {
    char header[120];
    l2o_tensor_file *file, *opened;
    l2o_diag diag = {""};
    snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[65536],\"data_offsets\":[0,131072]}}",
             brain ? "BF16" : "F16");
    const size_t length = put_file(bytes, header, data, sizeof data);
    assert_status(l2o_tensor_file_parse(&file, bytes, length, "f", &diag), L2O_OK, &diag);
    const l2o_tensor *t = l2o_tensor_file_find(file, "a");
    assert_int_equal(t->dtype, brain ? L2O_BF16 : L2O_F16);
    l2o_tensor_to_double(t, values);
    for (unsigned i = 0; i < ALL; i++) {
      const double expected = brain ? plain16(i, 8, 7) : plain16(i, 5, 10);
      const bool same = isnan(expected) ? isnan(values[i]) : values[i] == expected && signbit(values[i]) == signbit(expected);
      if (!same)
        fail_msg("%s %04x is %g, expected %g", brain ? "BF16" : "F16", i, values[i], expected);
    }
    FILE *stream = fopen(in_folder("f"), "wb");
    fwrite(bytes, 1, length, stream);
    fclose(stream);
    assert_status(l2o_tensor_file_open_header(&opened, in_folder("f"), &diag), L2O_OK, &diag);
    assert_null(l2o_tensor_file_at(opened, 0)->data);
    for (size_t first = 0; first < ALL; first += 997) { /* as from the file in memory */
      const size_t count = ALL - first < 1000 ? ALL - first : 1000;
      assert_status(l2o_tensor_file_read(opened, piece, 0, first, count, &diag), L2O_OK, &diag);
      assert_memory_equal(piece, values + first, count * sizeof *piece);
      assert_status(l2o_tensor_file_read(file, piece, 0, first, count, &diag), L2O_OK, &diag);
      assert_memory_equal(piece, values + first, count * sizeof *piece);
    }
    assert_status(l2o_tensor_file_read(opened, piece, 0, ALL - 1, 2, &diag), L2O_ERR_ARG, NULL);
    assert_status(l2o_tensor_file_read(opened, piece, 1, 0, 1, &diag), L2O_ERR_ARG, NULL);
    assert_int_equal(truncate(in_folder("f"), (off_t)length - 10), 0);
    assert_status(l2o_tensor_file_read(opened, piece, 0, ALL - 1000, 1000, &diag), L2O_ERR_IO, NULL);
    assert_names(&diag, "it changed while it was read");
    l2o_tensor_file_free(opened);
    assert_status(l2o_tensor_file_open_header(&opened, in_folder("f"), &diag), L2O_ERR_FORMAT, NULL);
    assert_null(opened);
    l2o_tensor_file_free(file);
  }
  free(values);
}

/* A header alone is checked as a whole file is. */
static void headers_that_are_wrong_are_refused_alike(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t length;
  } cases[] = {{"", 0},
               {"{}", 3},
               {"[]", 0},
               {"{\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,3]}}", 3},
               {"{\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 3},
               {"{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[1,3]}}", 3},
               {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":1}", 4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    unsigned char bytes[200];
    l2o_tensor_file *file;
    l2o_diag all = {""}, header = {""};
    const size_t length = put_file(bytes, cases[i].header, "0123456", cases[i].length);
    FILE *stream = fopen(in_folder("f"), "wb");
    fwrite(bytes, 1, length, stream);
    fclose(stream);
    const l2o_status status = l2o_tensor_file_open(&file, in_folder("f"), &all);
    assert_status(status, L2O_ERR_FORMAT, NULL);
    assert_status(l2o_tensor_file_open_header(&file, in_folder("f"), &header), status, &header);
    assert_string_equal(header.text, all.text);
    assert_null(file);
  }
  l2o_tensor_file *file;
  l2o_diag diag = {""};
  write_text("f", "short");
  assert_status(l2o_tensor_file_open_header(&file, in_folder("f"), &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "5 bytes long, expected a safetensors file");
  assert_status(l2o_tensor_file_open_header(&file, folder, &diag), L2O_ERR_IO, NULL);
}

/* ---- what does not fit ---- */

static void assert_refused(const char *path, l2o_status status, const char *sentence) {
  l2o_problem p = sampled(mlp, 1, 0);
  l2o_diag diag = {""};
  l2o_real *x = weights(&p, 9), *before = weights(&p, 9);
  assert_status(l2o_weights_load(&p, x, path, &diag), status, &diag);
  assert_names(&diag, sentence);
  assert_same_reals(x, before, N);
  l2o_problem_free(&p);
  free(x), free(before);
}

static void tensors_that_do_not_fit(void **state) {
  (void)state;
  entry e[5];
  char path[sizeof in_folder_path];
  strcpy(path, in_folder("f"));
  memcpy(e, whole, sizeof whole);
  write_tensors("f", e, 3, L2O_F32);
  assert_refused(path, L2O_ERR_FORMAT, "f: tensor 'layers.0.bias' is missing");
  e[3].columns = 5;
  write_tensors("f", e, 4, L2O_F32);
  assert_refused(path, L2O_ERR_SHAPE, "f: tensor 'layers.0.bias' has shape [5], expected [4]");
  e[3] = whole[3], e[0].rows = 3, e[0].columns = 4;
  write_tensors("f", e, 4, L2O_F32);
  assert_refused(path, L2O_ERR_SHAPE, "f: tensor 'layers.0.weight' has shape [3, 4], expected [4, 3]");
  e[0] = whole[0], e[1].rows = 1;
  write_tensors("f", e, 4, L2O_F32);
  assert_refused(path, L2O_ERR_SHAPE, "f: tensor 'layers.1.bias' has shape [1, 2], expected [2]");
  e[1] = whole[1], e[4] = (entry){"lm_head.weight", 2, 2, 0};
  write_tensors("f", e, 5, L2O_F32);
  assert_refused(path, L2O_ERR_FORMAT, "f: tensor 'lm_head.weight' is unknown to this problem");
  write_tensors("f", e, 4, L2O_I64);
  assert_refused(path, L2O_ERR_FORMAT, "f: tensor 'layers.0.weight' has whole numbers, I64, expected weights");
  e[2].value = (double)INFINITY;
  write_tensors("f", e, 4, L2O_F64);
  assert_refused(path, L2O_ERR_FORMAT, "f: tensor 'layers.1.weight': element 0 is inf, expected a finite number");
  e[2].value = (double)NAN;
  write_tensors("f", e, 4, L2O_F32);
  assert_refused(path, L2O_ERR_FORMAT, "f: tensor 'layers.1.weight': element 0 is nan");
  if (sizeof(l2o_real) == sizeof(float)) { /* finite in the file, not in this precision */
    e[2].value = 1e300;
    write_tensors("f", e, 4, L2O_F64);
    assert_refused(path, L2O_ERR_FORMAT, "element 0 is 1e+300, expected a finite number in this precision");
  }
  assert_refused("/no/such/file", L2O_ERR_IO, "/no/such/file: cannot read");
  assert_refused(folder, L2O_ERR_IO, "has neither model.safetensors nor model.safetensors.index.json");
}

static void indices_that_make_no_sense(void **state) {
  (void)state;
#define MAP(first)                                                                                                                 \
  "{\"weight_map\": {\"layers.0.weight\": " first                                                                                  \
  ", \"layers.0.bias\": \"b\", \"layers.1.weight\": \"b\", \"layers.1.bias\": \"b\"}}"
  static const struct {
    const char *text;
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {"", L2O_ERR_FORMAT, "index.json: not JSON near its byte 0 of 0"},
      {"{\"weight_map\": ", L2O_ERR_FORMAT, "index.json: not JSON"},
      {"[1]", L2O_ERR_FORMAT, "expected one JSON object"},
      {"{}", L2O_ERR_FORMAT, "no weight_map, expected an object"},
      {"{\"weight_map\": [\"a\"]}", L2O_ERR_FORMAT, "no weight_map, expected an object"},
      {"{\"weight_map\": {}}", L2O_ERR_FORMAT, "no weight_map"},
      {MAP("\"absent.safetensors\""), L2O_ERR_IO, "absent.safetensors: cannot read: No such file"},
      {MAP("\"../a\""), L2O_ERR_FORMAT, "tensor 'layers.0.weight' is said to be in '../a', expected the name of a file beside it"},
      {MAP("\"..\""), L2O_ERR_FORMAT, "is said to be in '..'"},
      {MAP("\"/etc/passwd\""), L2O_ERR_FORMAT, "is said to be in '/etc/passwd'"},
      {MAP("\"\""), L2O_ERR_FORMAT, "is said to be in ''"},
      {MAP("3"), L2O_ERR_FORMAT, "is said to be in '(no text)'"},
      {MAP("\"b\""), L2O_ERR_FORMAT, "b: tensor 'layers.0.weight' is missing"},
      {MAP("\"a\", \"layers.0.weight\": \"b\""), L2O_ERR_FORMAT, "'layers.0.weight' is given twice"},
      {"{\"weight_map\": {\"layers.0.weight\": \"a\", \"layers.0.bias\": \"b\", \"layers.1.weight\": \"b\"}}", L2O_ERR_FORMAT,
       "model.safetensors.index.json: tensor 'layers.1.bias' is missing"},
      {MAP("\"c\""), L2O_ERR_FORMAT, "c: tensor 'layers.1.bias' is here, but the index says b"},
      {MAP("\"e\""), L2O_ERR_FORMAT, "e: tensor 'extra' is here, but the index says nothing of it"},
  };
#undef MAP
  const entry twice[] = {whole[0], whole[1]}, extra[] = {whole[0], {"extra", 0, 1, 0}};
  write_tensors("a", whole, 1, L2O_F32);
  write_tensors("b", whole + 1, 3, L2O_F32);
  write_tensors("c", twice, 2, L2O_F32);
  write_tensors("e", extra, 2, L2O_F32);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_text("model.safetensors.index.json", cases[i].text);
    assert_refused(folder, cases[i].status, cases[i].sentence);
  }
}

static void a_tensor_that_no_file_has_is_missing(void **state) {
  (void)state;
  write_tensors("model.safetensors", whole + 1, 3, L2O_F32);
  assert_refused(folder, L2O_ERR_FORMAT, "model.safetensors: tensor 'layers.0.weight' is missing");
  assert_refused(in_folder("model.safetensors"), L2O_ERR_FORMAT, "tensor 'layers.0.weight' is missing");
}

/* ---- started families ---- */

static void instances_start_at_the_weights_of_a_file(void **state) {
  (void)state;
  l2o_family *plain = family_of(mlp), *inner = family_of(mlp), *started;
  l2o_diag diag = {""};
  write_tensors("f", whole, 4, L2O_F32);
  assert_status(l2o_family_started(&started, inner, in_folder("f"), &diag), L2O_OK, &diag);
  assert_true(strncmp(started->note, "started at /", 12) == 0 && started->n == N);
  unlink(in_folder("f"));
  for (uint64_t i = 0; i < 3; i++) {
    l2o_problem p, q;
    l2o_real x[N], y[N], g[2][N];
    size_t count[2], rows[] = {3, 0};
    double f[2];
    assert_status(l2o_family_sample(plain, &p, 5, L2O_PURPOSE_TRAIN, i, &diag), L2O_OK, &diag);
    assert_status(l2o_family_sample(started, &q, 5, L2O_PURPOSE_TRAIN, i, &diag), L2O_OK, &diag);
    assert_status(l2o_problem_start(&q, x), L2O_OK, NULL);
    assert_is_whole(x);
    normal_reals(y, N, i);
    assert_true(gradient_at(&p, g[0], y) == gradient_at(&q, g[1], y)); /* the same problem */
    assert_same_reals(g[0], g[1], N);
    const l2o_block *b = l2o_problem_blocks(&q, &count[1]);
    assert_true(l2o_problem_blocks(&p, &count[0]) && count[0] == count[1] && b && strcmp(b[0].name, "layers.0.weight") == 0);
    l2o_real *work = calloc(l2o_problem_forward_work_len(&q, 2) + 1, sizeof *work);
    assert_int_equal(l2o_problem_forward_work_len(&q, 2), l2o_problem_forward_work_len(&p, 2));
    assert_status(l2o_problem_forward(&p, &f[0], y, rows, 2, NULL, work), L2O_OK, NULL);
    assert_status(l2o_problem_forward(&q, &f[1], y, rows, 2, NULL, work), L2O_OK, NULL);
    assert_true(f[0] == f[1]);
    assert_int_equal(l2o_problem_summands(&q), 6);
    free(work);
    l2o_problem_free(&p);
    l2o_problem_free(&q);
  }
  assert_status(l2o_family_save(started, in_folder("g"), 1, L2O_PURPOSE_TRAIN, 1, &diag), L2O_ERR_NOTSUP, NULL);
  l2o_family_free(started);
  l2o_family_free(plain);
}

static l2o_status another_size(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  l2o_family *f;
  l2o_status status = l2o_family_new(&f, index ? "quadratic:n=4" : "quadratic:n=3", diag);
  (void)family;
  if (status)
    return status;
  status = l2o_family_sample(f, out, seed, L2O_PURPOSE_TRAIN, index, diag);
  l2o_family_free(f);
  return status;
}

static void starts_that_do_not_fit(void **state) {
  (void)state;
  l2o_family *inner = family_of(mlp), *started;
  l2o_diag diag = {""};
  write_tensors("f", whole, 3, L2O_F32);
  assert_status(l2o_family_started(&started, inner, in_folder("f"), &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "tensor 'layers.0.bias' is missing");
  assert_null(started);
  assert_status(l2o_family_started(&started, inner, in_folder("absent"), &diag), L2O_ERR_IO, NULL);
  l2o_family_free(inner); /* still the caller's */
  l2o_family sizes = {.struct_size = sizeof sizes, .name = "sizes", .sample = another_size};
  const entry x = {"x", 0, 3, 1};
  write_tensors("f", &x, 1, L2O_F64);
  assert_status(l2o_family_started(&started, &sizes, in_folder("f"), &diag), L2O_OK, &diag);
  l2o_problem p;
  assert_status(l2o_family_sample(started, &p, 1, L2O_PURPOSE_TRAIN, 0, &diag), L2O_OK, &diag);
  l2o_problem_free(&p);
  assert_status(l2o_family_sample(started, &p, 1, L2O_PURPOSE_TRAIN, 1, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "the weights are 3 numbers, this instance has 4 unknowns");
  l2o_family_free(started);
}

/* ---- memory ---- */

static l2o_status save_load_start(void *path) {
  l2o_problem p;
  l2o_family *inner, *started;
  l2o_real x[N];
  l2o_status status = l2o_family_new(&inner, mlp, NULL);
  if (status)
    return status;
  status = l2o_family_sample(inner, &p, 1, L2O_PURPOSE_TRAIN, 0, NULL);
  if (!status) {
    l2o_problem_start(&p, x);
    status = l2o_weights_save(&p, x, path, NULL);
    if (!status)
      status = l2o_weights_load(&p, x, path, NULL);
    l2o_problem_free(&p);
  }
  if (!status)
    status = l2o_family_started(&started, inner, path, NULL);
  if (status) {
    l2o_family_free(inner);
    return status;
  }
  status = l2o_family_sample(started, &p, 1, L2O_PURPOSE_TRAIN, 0, NULL);
  l2o_problem_free(&p);
  l2o_family_free(started);
  return status;
}

static l2o_status load_shards(void *path) {
  l2o_problem p;
  l2o_family *family;
  l2o_real x[N];
  l2o_status status = l2o_family_new(&family, mlp, NULL);
  if (status)
    return status;
  status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_TRAIN, 0, NULL);
  if (!status)
    status = l2o_weights_load(&p, x, path, NULL);
  l2o_problem_free(&p);
  l2o_family_free(family);
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char path[sizeof in_folder_path];
  strcpy(path, in_folder("w"));
  assert_true(assert_allocations_may_fail(save_load_start, path, L2O_OK, SOME_CAN_BE_SPARED) >= 20);
  unlink(path);
  write_tensors("a", whole, 1, L2O_F64);
  write_tensors("b", whole + 1, 3, L2O_F32);
  write_text("model.safetensors.index.json", "{\"weight_map\": {\"layers.0.weight\": \"a\", \"layers.0.bias\": \"b\", "
                                             "\"layers.1.weight\": \"b\", \"layers.1.bias\": \"b\"}}");
  assert_true(assert_allocations_may_fail(load_shards, folder, L2O_OK, ALL_ARE_NEEDED) >= 20);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(weights_come_back_bit_for_bit),
      IN_FOLDER(tensors_may_stand_in_any_order_and_in_several_files),
      IN_FOLDER(all_numbers_of_16_bits),
      IN_FOLDER(headers_that_are_wrong_are_refused_alike),
      IN_FOLDER(tensors_that_do_not_fit),
      IN_FOLDER(indices_that_make_no_sense),
      IN_FOLDER(a_tensor_that_no_file_has_is_missing),
      IN_FOLDER(instances_start_at_the_weights_of_a_file),
      IN_FOLDER(starts_that_do_not_fit),
      IN_FOLDER(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
