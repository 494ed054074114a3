/* SPDX-License-Identifier: BSD-3-Clause */
#include "l2o_fixtures.h"

#include "failing_malloc.h"
#include <l2o/tensor_file.h>
#include <locale.h>
#include <sys/stat.h>
#include <zlib.h>

#define DATA L2O_TEST_DATA "/../experiments/data/"

/* A file in the test's folder; gunzip(1) would give these bytes back. */
static const char *file_of(const char *name, const void *bytes, size_t length, bool zipped) {
  const char *path = in_folder(name);
  if (zipped) {
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)length), length);
    assert_int_equal(gzclose(file), Z_OK);
  } else {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
  }
  return path;
}
static const char *text_file(const char *text) {
  return file_of("f", text, strlen(text), false);
}

static l2o_dataset *read_back(const char *path) {
  l2o_dataset *data = NULL;
  l2o_diag diag = {""};
  assert_status(l2o_dataset_read(&data, path, &diag), L2O_OK, &diag);
  return data;
}

/* The sentence behind the name of the folder, which changes. */
static void assert_sentence(l2o_status status, l2o_status expected, l2o_dataset *const *data, const l2o_diag *diag,
                            const char *sentence) {
  assert_null(*data);
  assert_status(status, expected, diag);
  assert_int_equal(strncmp(diag->text, folder, strlen(folder)), 0);
  assert_string_equal(diag->text + strlen(folder) + 1, sentence);
}

/* ---- the data of the project ---- */

static size_t count_label(const l2o_dataset *data, double label) {
  size_t count = 0;
  for (size_t i = 0; i < data->rows; i++)
    count += data->labels[i] == label;
  return count;
}

static void ionosphere_is_read(void **state) {
  (void)state;
  l2o_dataset *data = read_back(DATA "ionosphere.libsvm");
  assert_int_equal(data->rows, 351);
  assert_int_equal(data->features, 34);
  assert_string_equal(data->name, "ionosphere.libsvm");
  assert_int_equal(data->image_height + data->image_width, 0);
  assert_int_equal(count_label(data, -1), 126);
  assert_int_equal(count_label(data, 1), 225);
  assert_int_equal(data->class_count, 2);
  assert_true(data->classes[0] == -1 && data->classes[1] == 1);
  assert_int_equal(data->class_of[0], 1);
  assert_int_equal(data->class_of[1], 0);
  const double first[] = {1, 0, 0.99539, -0.05889, 0.85243}; /* 1:1 3:0.99539 4:-0.05889 5:0.85243 */
  for (size_t i = 0; i < 5; i++)
    assert_true(data->A[i] == (l2o_real)first[i]);
  l2o_dataset_free(data);
}

static void spambase_is_read(void **state) {
  (void)state;
  l2o_dataset *data = read_back(DATA "spambase.libsvm");
  assert_int_equal(data->rows, 4601);
  assert_int_equal(data->features, 57);
  assert_int_equal(count_label(data, -1), 2788);
  assert_int_equal(count_label(data, 1), 1813);
  assert_true(data->A[56] == 278 && data->A[1] == (l2o_real)0.64 && data->A[0] == 0);
  assert_true(data->A[4600 * 57 + 56] == 40 && data->A[4600 * 57 + 54] == (l2o_real)1.25);
  l2o_dataset_free(data);
}

static void mnist_is_read(void **state) {
  (void)state;
  l2o_dataset *data = read_back(DATA "mnist10k-images-idx3-ubyte.gz"), *bare = NULL;
  l2o_diag diag = {""};
  assert_int_equal(data->rows, 10000);
  assert_int_equal(data->features, 784);
  assert_int_equal(data->image_height, 28);
  assert_int_equal(data->image_width, 28);
  assert_int_equal(data->class_count, 10);
  static const double labels[] = {6, 7, 6, 3, 1, 0, 6, 1}; /* od -An -tu1 -j8 -N8 of the labels */
  for (size_t i = 0; i < 8; i++)
    assert_true(data->labels[i] == labels[i] && data->class_of[i] == (size_t)labels[i]);
  double sum = 0, largest = 0;
  for (size_t i = 0; i < data->rows * data->features; i++) {
    assert_true(data->A[i] >= 0 && data->A[i] <= 1);
    sum += (double)data->A[i];
    largest = fmax(largest, (double)data->A[i]);
  }
  assert_true(largest == 1);
  assert_close(sum / 7840000, 0.13, 0.03, 0); /* the mean grey of MNIST is 0.1307 */
  assert_status(l2o_dataset_read_idx(&bare, DATA "mnist10k-labels-idx1-ubyte.gz", NULL, &diag), L2O_OK, &diag);
  assert_int_equal(bare->rows, 10000);
  assert_int_equal(bare->features, 1);
  assert_null(bare->labels);
  assert_int_equal(bare->class_count + bare->image_height, 0);
  assert_true(bare->A[0] == (l2o_real)(6 / 255.0));
  l2o_dataset_free(bare);
  l2o_dataset_free(data);
}

static void photographs_are_read(void **state) {
  (void)state;
  l2o_dataset *data = read_back(DATA "face.pgm");
  assert_int_equal(data->rows, 768);
  assert_int_equal(data->features, 1024);
  assert_int_equal(data->image_height, 768);
  assert_int_equal(data->image_width, 1024);
  assert_null(data->labels);
  FILE *file = fopen(DATA "face.pgm", "rb");
  assert_non_null(file);
  assert_int_equal(fseek(file, -768L * 1024, SEEK_END), 0);
  for (size_t i = 0; i < data->rows * data->features; i++)
    assert_true(data->A[i] == (l2o_real)(getc(file) / 255.0));
  fclose(file);
  l2o_dataset_free(data);
}

/* ---- what is fine ---- */

static void assert_same_data(const l2o_dataset *a, const l2o_dataset *b) {
  assert_int_equal(a->rows, b->rows);
  assert_int_equal(a->features, b->features);
  assert_int_equal(a->class_count, b->class_count);
  assert_same_reals(a->A, b->A, a->rows * a->features);
  assert_true(!a->labels == !b->labels);
  if (a->labels)
    assert_memory_equal(a->labels, b->labels, a->rows * sizeof *a->labels);
}

static void gzipped_equals_plain(void **state) {
  (void)state;
  static const char *const names[] = {"spambase.libsvm", "ascent.pgm"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[sizeof DATA + 40];
    snprintf(path, sizeof path, "%s%s", DATA, names[i]);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    size_t length = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    l2o_dataset *plain = read_back(path), *zipped = read_back(file_of("zipped", bytes, length, true));
    assert_same_data(plain, zipped);
    l2o_dataset_free(plain);
    l2o_dataset_free(zipped);
    free(bytes);
  }
}

static void free_forms_of_libsvm(void **state) {
  (void)state;
  static const char *const texts[] = {
      "2 1:0.5 3:-1e-1\n-7 2:4\n2\n", /* the last row is all zero */
      "2 1:0.5 3:-1e-1\r\n-7 2:4\r\n2\r\n",
      "# heading\n\n  2\t1:.5  3:-0.1 # of row 1\n \n#\n-7 2:4.\n\n+2",
      "2.0 1:5E-1 2:0 3:-.1e+0\n-7.0e0 2:+4#no\n2 3:-0\n   ",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    l2o_dataset *data = read_back(text_file(texts[i]));
    const l2o_real expected[9] = {(l2o_real)0.5, 0, (l2o_real)-0.1, 0, 4, 0, 0, 0, 0};
    assert_int_equal(data->rows, 3);
    assert_int_equal(data->features, 3);
    for (size_t k = 0; k < 9; k++)
      assert_true(data->A[k] == expected[k]);
    assert_true(data->labels[0] == 2 && data->labels[1] == -7 && data->labels[2] == 2);
    assert_int_equal(data->class_count, 2);
    assert_true(data->classes[0] == -7 && data->classes[1] == 2);
    assert_true(data->class_of[0] == 1 && data->class_of[1] == 0 && data->class_of[2] == 1);
    l2o_dataset_free(data);
  }
}

static void the_caller_may_name_the_number_of_features(void **state) {
  (void)state;
  l2o_dataset *data;
  l2o_diag diag = {""};
  const char *path = text_file("1 2:3\n-1 1:4\n");
  assert_status(l2o_dataset_read_libsvm(&data, path, 4, &diag), L2O_OK, &diag);
  const l2o_real expected[8] = {0, 3, 0, 0, 4, 0, 0, 0};
  assert_int_equal(data->features, 4);
  assert_same_reals(data->A, expected, 8);
  l2o_dataset_free(data);
  assert_sentence(l2o_dataset_read_libsvm(&data, path, 1, &diag), L2O_ERR_FORMAT, &data, &diag,
                  "f:1: index 2: expected at most 1 features");
  assert_sentence(l2o_dataset_read_libsvm(&data, path, SIZE_MAX / 4, &diag), L2O_ERR_NOMEM, &data, &diag,
                  "f: out of memory for 2 rows of 4611686018427387903 features");
}

static void a_row_may_be_longer_than_any_buffer(void **state) {
  (void)state;
  enum { COLUMNS = 50000, ROOM = 20 * COLUMNS };
  char *text = malloc(ROOM);
  size_t length = (size_t)sprintf(text, "1");
  for (int i = 1; i <= COLUMNS; i++)
    length += (size_t)sprintf(text + length, " %d:%d", i, -i);
  l2o_dataset *data = read_back(file_of("long", text, length, false));
  assert_int_equal(data->rows, 1);
  assert_int_equal(data->features, COLUMNS);
  for (int i = 1; i <= COLUMNS; i++)
    assert_true(data->A[i - 1] == (l2o_real)-i);
  l2o_dataset_free(data);
  free(text);
}

static void a_word_may_have_127_characters(void **state) {
  (void)state;
  char text[2 + 127 + 1] = "1 1:2.5";
  memset(text + strlen(text), '0', sizeof text - 1 - strlen(text));
  l2o_dataset *data = read_back(text_file(text));
  assert_true(data->A[0] == (l2o_real)2.5);
  l2o_dataset_free(data);
}

static void labels_are_classes_up_to_a_number(void **state) {
  (void)state;
  char *text = malloc(20 * (L2O_DATASET_CLASSES + 1));
  for (int more = 0; more < 2; more++) {
    size_t length = 0;
    for (int i = L2O_DATASET_CLASSES + more; i-- > 0;)
      length += (size_t)sprintf(text + length, "%d.5 1:1\n", i);
    l2o_dataset *data = read_back(file_of("many", text, length, false));
    assert_int_equal(data->class_count, more ? 0 : L2O_DATASET_CLASSES);
    assert_true(!data->classes == (more == 1) && !data->class_of == (more == 1));
    assert_non_null(data->labels);
    for (size_t i = 0; i < data->class_count; i++) {
      assert_true(data->classes[i] == (double)i + 0.5);
      assert_int_equal(data->class_of[i], L2O_DATASET_CLASSES - 1 - i);
    }
    l2o_dataset_free(data);
  }
  free(text);
}

#ifdef __GLIBC__
/* A locale of our own with a decimal comma, in the form that localedef(1) writes: LC_NUMERIC has its three texts and two wide
 * characters, and the name of its character set. */
static void write_comma_locale(const char *path) {
  enum { TEXTS = 6 };
  uint32_t words[2 + TEXTS] = {0x20031115 ^ LC_NUMERIC, TEXTS, 32, 34, 36, 40, 44, 48};
  unsigned char bytes[64] = {0};
  memcpy(bytes, words, sizeof words);
  memcpy(bytes + 32, ",\0.\0\x7f", 6);
  memcpy(bytes + 40, &(uint32_t){','}, 4);
  memcpy(bytes + 44, &(uint32_t){'.'}, 4);
  memcpy(bytes + 48, "UTF-8", 6);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
  assert_int_equal(fclose(file), 0);
}

static void a_decimal_comma_elsewhere_changes_nothing(void **state) {
  (void)state;
  char locale[sizeof folder + 20], file[sizeof locale + 20];
  snprintf(locale, sizeof locale, "%s/comma", folder);
  snprintf(file, sizeof file, "%s/LC_NUMERIC", locale);
  assert_int_equal(mkdir(locale, 0700), 0);
  write_comma_locale(file);
  assert_int_equal(setenv("LOCPATH", folder, 1), 0);
  assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE); /* after all that was read before */
  bool found = setlocale(LC_NUMERIC, "comma") && strtod("1,5", NULL) == 1.5;
  l2o_dataset *data = found ? read_back(text_file("1.5 1:2.25 2:1e-3\n")) : NULL, *none = NULL;
  l2o_diag diag = {""};
  l2o_status status = found ? l2o_dataset_read(&none, text_file("1,5 1:2\n"), &diag) : L2O_OK;
  bool kept = strtod("1,5", NULL) == 1.5; /* the program's own locale is back */
  setlocale(LC_NUMERIC, "C");
  unsetenv("LOCPATH");
  unlink(file);
  rmdir(locale);
  if (!found)
    skip(); /* a C library with another form of locales */
  assert_true(kept);
  assert_true(data->labels[0] == 1.5 && data->A[0] == (l2o_real)2.25 && data->A[1] == (l2o_real)1e-3);
  assert_sentence(status, L2O_ERR_FORMAT, &none, &diag, "f:1: label '1,5': expected a finite number, then index:value ...");
  l2o_dataset_free(data);
}
#endif

static void plain_and_binary_pictures(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t length;
    double white;
  } cases[] = {
      {"P2\n2 3\n200\n0 100\n200 1 2 3\n", 0, 200},
      {"P2#a\r\n# b\n\t2 # width\n3\r\n200 # white\n0 100 #\n200\n\n1 2 3", 0, 200},
      {"P5\n2 3\n200\n\x00\x64\xc8\x01\x02\x03", 17, 200},
      {"P5 2 3 200# the line ends the header\n\x00\x64\xc8\x01\x02\x03", 43, 200},
      {"P5\n2 3\n65535\n\0\0\0\x64\0\xc8\0\x01\0\x02\0\x03", 25, 65535},
      {"P2\n2 3\n65535\n0 100 200 1 2 3\n", 0, 65535},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const size_t length = cases[i].length ? cases[i].length : strlen(cases[i].text);
    l2o_dataset *data = read_back(file_of("f", cases[i].text, length, false));
    static const double pixels[] = {0, 100, 200, 1, 2, 3};
    assert_int_equal(data->rows, 3);
    assert_int_equal(data->features, 2);
    assert_int_equal(data->image_height, 3);
    assert_int_equal(data->image_width, 2);
    for (size_t k = 0; k < 6; k++)
      assert_true(data->A[k] == (l2o_real)(pixels[k] / cases[i].white));
    l2o_dataset_free(data);
  }
  l2o_dataset *data = read_back(file_of("f", "P5 1 1 65535\n\xab\xcd", 15, false));
  assert_true(data->A[0] == (l2o_real)(0xabcd / 65535.0));
  l2o_dataset_free(data);
}

#define SIZE(n) "\0\0\0" n
#define IDX1 "\0\0\x08\x01"
#define IDX2 "\0\0\x08\x02"
#define IDX3 "\0\0\x08\x03"

static void arrays_of_one_to_three_sizes(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t length, features, height, width;
  } cases[] = {
      {IDX1 SIZE("\2") "\0\xff", 10, 1, 0, 0},
      {IDX2 SIZE("\2") SIZE("\3") "\0\1\2\3\4\xff", 18, 3, 0, 0},
      {IDX3 SIZE("\2") SIZE("\3") SIZE("\1") "\0\1\2\3\4\xff", 22, 3, 3, 1},
  };
  for (size_t i = 0; i < 3; i++) {
    l2o_dataset *data = read_back(file_of("f", cases[i].bytes, cases[i].length, i == 1));
    assert_int_equal(data->rows, 2);
    assert_int_equal(data->features, cases[i].features);
    assert_int_equal(data->image_height, cases[i].height);
    assert_int_equal(data->image_width, cases[i].width);
    assert_null(data->labels);
    assert_true(data->A[0] == 0 && data->A[2 * data->features - 1] == 1);
    assert_true(data->features == 1 || data->A[3] == (l2o_real)(3 / 255.0));
    l2o_dataset_free(data);
  }
}

static void labels_are_found_beside_the_images(void **state) {
  (void)state;
  static const char images[] = IDX3 SIZE("\2") SIZE("\1") SIZE("\1") "\0\xff", labels[] = IDX1 SIZE("\2") "\5\3";
  char images_path[sizeof in_folder_path], labels_path[sizeof in_folder_path];
  l2o_dataset *data;
  l2o_diag diag = {""};
  strcpy(images_path, file_of("my-images-idx3-ubyte", images, sizeof images - 1, false));
  data = read_back(images_path);
  assert_null(data->labels);
  l2o_dataset_free(data);
  strcpy(labels_path, file_of("my-labels-idx1-ubyte", labels, sizeof labels - 1, false));
  for (int given = 0; given < 2; given++) {
    assert_status(l2o_dataset_read_idx(&data, images_path, given ? labels_path : NULL, &diag), L2O_OK, &diag);
    assert_true(data->labels[0] == 5 && data->labels[1] == 3);
    assert_int_equal(data->class_count, 2);
    assert_true(data->class_of[0] == 1 && data->class_of[1] == 0);
    l2o_dataset_free(data);
  }
  file_of("my-labels-idx1-ubyte", IDX1 SIZE("\1") "\5", 9, false);
  assert_sentence(l2o_dataset_read(&data, images_path, &diag), L2O_ERR_FORMAT, &data, &diag,
                  "my-labels-idx1-ubyte: holds 1 labels for the 2 rows of my-images-idx3-ubyte");
  file_of("my-labels-idx1-ubyte", IDX1 SIZE("\2") "\5", 9, false);
  assert_sentence(l2o_dataset_read(&data, images_path, &diag), L2O_ERR_FORMAT, &data, &diag,
                  "my-labels-idx1-ubyte: ends after 1 of the 2 bytes of data that its header announces");
  assert_sentence(l2o_dataset_read_idx(&data, images_path, images_path, &diag), L2O_ERR_FORMAT, &data, &diag,
                  "my-images-idx3-ubyte: has 3 sizes, expected one, the number of labels");
  assert_sentence(l2o_dataset_read_idx(&data, images_path, in_folder("absent"), &diag), L2O_ERR_IO, &data, &diag,
                  "absent: cannot read: No such file or directory");
}

/* ---- what is not ---- */

static void bad_libsvm_is_told_by_line(void **state) {
  (void)state;
#define NINES "99999999999999999999999999999999999999999999999999999999999999999999999999999999"
  static const struct {
    const char *text, *sentence;
  } cases[] = {
      {"", "f: no rows, expected lines 'label index:value ...'"},
      {"# nothing\n\n", "f: no rows, expected lines 'label index:value ...'"},
      {"1\n-1\n", "f: labels only, expected lines 'label index:value ...'"},
      {"1 1:1\n\n1 0:5\n", "f:3: index 0: indices start at 1"},
      {"1 1:1\n1 3:5 2:5\n", "f:2: index 2 behind index 3: indices ascend"},
      {"1 3:5 3:5", "f:1: index 3 behind index 3: indices ascend"},
      {"1 3:5\n1 3\n", "f:2: '3' has no colon, expected index:value"},
      {"1 3 :5\n", "f:1: '3' has no colon, expected index:value"},
      {"1 :5\n", "f:1: index '': expected a whole number from 1 to 16777216"},
      {"1 -1:5\n", "f:1: index '-1': expected a whole number from 1 to 16777216"},
      {"1 1.0:5\n", "f:1: index '1.0': expected a whole number from 1 to 16777216"},
      {"1 qid:5\n", "f:1: index 'qid': expected a whole number from 1 to 16777216"},
      {"1 16777217:5\n", "f:1: index 16777217: the largest supported is 16777216"},
      {"1 18446744073709551617:5\n", "f:1: index 18446744073709551617: the largest supported is 16777216"},
      {"1 1:\n", "f:1: index 1: value '', expected a finite number"},
      {"1 1: 5\n", "f:1: index 1: value '', expected a finite number"},
      {"1 1:2:3\n", "f:1: index 1: value '2:3', expected a finite number"},
      {"1 1:nan\n", "f:1: index 1: value 'nan', expected a finite number"},
      {"1 7:-inf\n", "f:1: index 7: value '-inf', expected a finite number"},
      {"1 1:1e999\n", "f:1: index 1: value '1e999', expected a finite number"},
      {"1 1:0x10\n", "f:1: index 1: value '0x10', expected a finite number"},
      {"1 1:5x\n", "f:1: index 1: value '5x', expected a finite number"},
      {"1 1:1e\n", "f:1: index 1: value '1e', expected a finite number"},
      {"1 1:1e+\n", "f:1: index 1: value '1e+', expected a finite number"},
      {"1 1:.\n", "f:1: index 1: value '.', expected a finite number"},
      {"1 1:.e1\n", "f:1: index 1: value '.e1', expected a finite number"},
      {"1 1:1.2.3\n", "f:1: index 1: value '1.2.3', expected a finite number"},
      {"1 1:--1\n", "f:1: index 1: value '--1', expected a finite number"},
      {"spam 1:2\n", "f:1: label 'spam': expected a finite number, then index:value ..."},
      {"nan 1:2\n", "f:1: label 'nan': expected a finite number, then index:value ..."},
      {"1 1:1\n1:1 2:3\n", "f:2: label '1:1': expected a finite number, then index:value ..."},
      {"1,2 1:1\n", "f:1: label '1,2': expected a finite number, then index:value ..."},
      {"\xef+\x1b 1:1\n", "f:1: label '?+?': expected a finite number, then index:value ..."},
      {"1 1:1\n" NINES NINES, "f:2: a word of more than 127 characters, expected numbers"},
      {"1 1:" NINES "x\n", "f:1: index 1: value '9999999999999999999999999999999999999999...', expected a finite number"},
      {"P6\n1 1\n255\n", "f: does not begin with P2 or P5, expected a PGM picture"},
  };
  l2o_dataset *data;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int zipped = 0; zipped < 2; zipped++) {
      l2o_diag diag = {""};
      l2o_status status = l2o_dataset_read(&data, file_of("f", cases[i].text, strlen(cases[i].text), zipped), &diag);
      assert_sentence(status, L2O_ERR_FORMAT, &data, &diag, cases[i].sentence);
      assert_status(l2o_dataset_read(&data, in_folder("f"), NULL), L2O_ERR_FORMAT, NULL);
    }
  l2o_diag diag = {""};
  static const char zero[] = "1 1:1\n1 1:\0001\n", hidden[] = "1 1:1 #\0\n";
  l2o_status status = l2o_dataset_read(&data, file_of("f", zero, sizeof zero - 1, false), &diag);
  assert_sentence(status, L2O_ERR_FORMAT, &data, &diag, "f:2: a zero byte, expected text");
  status = l2o_dataset_read(&data, file_of("f", hidden, sizeof hidden - 1, false), &diag);
  assert_sentence(status, L2O_ERR_FORMAT, &data, &diag, "f:1: a zero byte, expected text");
}

static void values_must_fit_the_precision(void **state) {
  (void)state;
  l2o_dataset *data;
  l2o_diag diag = {""};
  l2o_status status = l2o_dataset_read(&data, text_file("1e300 1:1e300\n"), &diag);
  if (sizeof(l2o_real) == sizeof(double)) {
    assert_status(status, L2O_OK, &diag);
    assert_true(data->A[0] == (l2o_real)1e300 && data->labels[0] == 1e300);
  } else
    assert_sentence(status, L2O_ERR_FORMAT, &data, &diag,
                    "f:1: index 1: value '1e300', expected a finite number of single precision");
  l2o_dataset_free(data);
}

typedef l2o_status (*reader)(l2o_dataset **, const char *, l2o_diag *);
static l2o_status read_idx(l2o_dataset **out, const char *path, l2o_diag *diag) {
  return l2o_dataset_read_idx(out, path, NULL, diag);
}

typedef struct bad_file {
  reader read;
  const char *bytes;
  size_t length;
  const char *sentence;
} bad_file;

static void assert_bad_files(const bad_file *cases, size_t count) {
  l2o_dataset *data;
  for (size_t i = 0; i < count; i++)
    for (int zipped = 0; zipped < 2; zipped++) {
      l2o_diag diag = {""};
      l2o_status status = cases[i].read(&data, file_of("f", cases[i].bytes, cases[i].length, zipped), &diag);
      assert_sentence(status, L2O_ERR_FORMAT, &data, &diag, cases[i].sentence);
    }
}
#define CASE(read, bytes, sentence)                                                                                                \
  { (read), (bytes), sizeof(bytes) - 1, (sentence) }

static void bad_idx_is_told(void **state) {
  (void)state;
  static const bad_file cases[] = {
      CASE(read_idx, "", "f: ends within its header, expected an IDX file"),
      CASE(read_idx, "\0\0\x08", "f: ends within its header, expected an IDX file"),
      CASE(l2o_dataset_read, "\0\0", "f: ends within its header, expected an IDX file"),
      CASE(l2o_dataset_read, IDX2 SIZE("\2") "\0\0\0", "f: ends within its header, expected an IDX file"),
      CASE(read_idx, "\1\0\x08\3xxxx",
           "f: begins with the bytes 01 00 08 03, expected 00 00 08 and the number of sizes: an IDX file"),
      CASE(read_idx, "1 1:2\n", "f: begins with the bytes 31 20 31 3a, expected 00 00 08 and the number of sizes: an IDX file"),
      CASE(l2o_dataset_read, "\0\0\x0d\1\0\0\0\1xxxx", "f: its elements are of type 0x0d, supported is 0x08 (unsigned byte)"),
      CASE(l2o_dataset_read, "\0\0\x08\0", "f: has 0 sizes, supported are 1 to 3"),
      CASE(l2o_dataset_read, "\0\0\x08\4" SIZE("\1") SIZE("\1") SIZE("\1") SIZE("\1") "x", "f: has 4 sizes, supported are 1 to 3"),
      CASE(l2o_dataset_read, IDX2 SIZE("\2") SIZE("\0"), "f: size 2 of 2 is 0, expected at least 1"),
      CASE(l2o_dataset_read, IDX1 SIZE("\3") "xx", "f: ends after 2 of the 3 bytes of data that its header announces"),
      CASE(l2o_dataset_read, IDX1 SIZE("\3") "xxxx", "f: goes on behind the 3 bytes of data that its header announces"),
      CASE(l2o_dataset_read,
           IDX3 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                "x",
           "f: its sizes, the last of them 4294967295, multiply to more than memory can hold"),
      /* 10^18 bytes are announced: whoever believes that is out of memory */
      CASE(l2o_dataset_read,
           IDX2 "\x3b\x9a\xca\x00\x3b\x9a\xca\x00"
                "xyz",
           "f: ends after 3 of the 1000000000000000000 bytes of data that its header announces"),
  };
  assert_bad_files(cases, sizeof cases / sizeof *cases);
}

static void bad_pgm_is_told(void **state) {
  (void)state;
  static const bad_file cases[] = {
      CASE(l2o_dataset_read_pgm, "", "f: does not begin with P2 or P5, expected a PGM picture"),
      CASE(l2o_dataset_read_pgm, "P", "f: does not begin with P2 or P5, expected a PGM picture"),
      CASE(l2o_dataset_read_pgm, "1 1:1\n", "f: does not begin with P2 or P5, expected a PGM picture"),
      CASE(l2o_dataset_read_pgm, "P51 1 1 x", "f: does not begin with P2 or P5, expected a PGM picture"),
      CASE(l2o_dataset_read, "P3 1 1 1 1 1 1", "f: does not begin with P2 or P5, expected a PGM picture"),
      CASE(l2o_dataset_read_pgm, "P5", "f: ends within its header, before the width"),
      CASE(l2o_dataset_read, "P5 3 # 4\n", "f: ends within its header, before the height"),
      CASE(l2o_dataset_read, "P2 3 4", "f: ends within its header, before the largest value"),
      CASE(l2o_dataset_read, "P5\n0 4 255\n", "f:2: width '0', expected a whole number from 1 to 2147483647"),
      CASE(l2o_dataset_read, "P5\n4\n-1 255\n", "f:3: height '-1', expected a whole number from 1 to 2147483647"),
      CASE(l2o_dataset_read, "P5\n4 99999999999999999999 255\n",
           "f:2: height '99999999999999999999', expected a whole number from 1 to 2147483647"),
      CASE(l2o_dataset_read, "P5\n4 4x 255\n", "f:2: height '4x', expected a whole number from 1 to 2147483647"),
      CASE(l2o_dataset_read, "P5 4 4 0 ", "f:1: largest value '0', expected a whole number from 1 to 65535"),
      CASE(l2o_dataset_read, "P5 4 4 65536 ", "f:1: largest value '65536', expected a whole number from 1 to 65535"),
      CASE(l2o_dataset_read, "P5 2147483647 2147483647 255\nx", "f: 2147483647 x 2147483647 pixels are more than memory can hold"),
      CASE(l2o_dataset_read, "P5 1000000000 1000000000 255\nxyz",
           "f: ends after 3 of the 1000000000000000000 bytes of data that its header announces"),
      CASE(l2o_dataset_read, "P2 1000000000 1000000000 255\n1 2 3\n",
           "f: ends after 3 of the 1000000000000000000 pixels that its header announces"),
      CASE(l2o_dataset_read, "P5 2 2 255\nxyz", "f: ends after 3 of the 4 bytes of data that its header announces"),
      CASE(l2o_dataset_read, "P5 2 2 255\r\nwxyz", "f: goes on behind the 4 bytes of data that its header announces"),
      CASE(l2o_dataset_read, "P5 2 1 256\n\0\1\1", "f: ends after 3 of the 4 bytes of data that its header announces"),
      CASE(l2o_dataset_read, "P5 2 1 256\n\0\1\1\1", "f: row 0, column 1 is 257, above the largest value of its header, 256"),
      CASE(l2o_dataset_read, "P5 1 2 9\n\x9\xa", "f: row 1, column 0 is 10, above the largest value of its header, 9"),
      CASE(l2o_dataset_read, "P2 1 2 9\n9\n10\n", "f:3: pixel '10', expected a whole number from 0 to 9"),
      CASE(l2o_dataset_read, "P2 1 2 9\n9\nx\n", "f:3: pixel 'x', expected a whole number from 0 to 9"),
      CASE(l2o_dataset_read, "P2 1 2 9\n9 9\n9\n", "f:3: goes on behind the 2 pixels that its header announces"),
      CASE(l2o_dataset_read, "P2 1 2 9\n9\0 9\n", "f:2: a zero byte, expected text"),
  };
  assert_bad_files(cases, sizeof cases / sizeof *cases);
}

static void damaged_compression_is_told(void **state) {
  (void)state;
  unsigned char bytes[200];
  static const char *const plain[] = {"1 1:2 3:4\n-1 2:5\n", IDX1 SIZE("\3") "abc", "P5 2 2 255\nabcd", "P2 2 2 9\n1 2 3 4\n"};
  static const size_t lengths[] = {17, 11, 15, 17};
  l2o_dataset *data;
  for (size_t i = 0; i < 4; i++) {
    FILE *file = fopen(file_of("f", plain[i], lengths[i], true), "rb");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 2; cut < length; cut++) {
      l2o_diag diag = {""};
      l2o_status status = l2o_dataset_read(&data, file_of("f", bytes, cut, false), &diag);
      assert_sentence(status, L2O_ERR_FORMAT, &data, &diag, "f: its gzip compression is cut off");
    }
    l2o_diag diag = {""};
    bytes[length - 6] ^= 1; /* the checksum */
    l2o_status status = l2o_dataset_read(&data, file_of("f", bytes, length, false), &diag);
    assert_sentence(status, L2O_ERR_FORMAT, &data, &diag, "f: its gzip compression is damaged");
  }
}

static void unreadable_paths_say_why(void **state) {
  (void)state;
  l2o_dataset *data;
  l2o_diag diag = {""};
  assert_sentence(l2o_dataset_read(&data, in_folder("absent"), &diag), L2O_ERR_IO, &data, &diag,
                  "absent: cannot read: No such file or directory");
  assert_status(l2o_dataset_read_pgm(&data, folder, &diag), L2O_ERR_IO, &diag);
  assert_names(&diag, "cannot read: Is a directory");
  assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
  assert_sentence(l2o_dataset_read_libsvm(&data, in_folder("pipe"), 0, &diag), L2O_ERR_IO, &data, &diag,
                  "pipe: cannot read: not a regular file");
}

/* ---- arrays of the caller's ---- */

static void arrays_are_copied(void **state) {
  (void)state;
  l2o_real A[6] = {1, 2, 3, 4, 5, 6};
  double labels[3] = {2, -1, 2};
  l2o_dataset *data;
  l2o_diag diag = {""};
  assert_status(l2o_dataset_new(&data, A, labels, 3, 2, &diag), L2O_OK, &diag);
  A[0] = 7;
  labels[0] = 7;
  assert_int_equal(data->rows, 3);
  assert_int_equal(data->features, 2);
  assert_true(data->A[0] == 1 && data->A[5] == 6 && data->labels[0] == 2);
  assert_int_equal(data->class_count, 2);
  assert_true(data->classes[0] == -1 && data->class_of[2] == 1);
  assert_string_equal(data->name, "data");
  l2o_dataset_free(data);
  assert_status(l2o_dataset_new(&data, A, NULL, 2, 3, NULL), L2O_OK, NULL);
  assert_null(data->labels);
  assert_int_equal(data->class_count, 0);
  l2o_dataset_free(data);
  l2o_dataset_free(NULL);

  assert_status(l2o_dataset_new(&data, A, NULL, 0, 3, &diag), L2O_ERR_SHAPE, &diag);
  assert_null(data);
  assert_string_equal(diag.text, "data: 0 rows of 3 features, expected at least one of each");
  assert_status(l2o_dataset_new(&data, A, NULL, 1, 0, NULL), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_dataset_new(&data, A, NULL, SIZE_MAX / 2, 3, &diag), L2O_ERR_SHAPE, &diag);
  assert_status(l2o_dataset_new(&data, A, NULL, SIZE_MAX / 12, 1, &diag), L2O_ERR_SHAPE, &diag);
  assert_names(&diag, "more than memory can hold");
  A[3] = (l2o_real)NAN;
  assert_status(l2o_dataset_new(&data, A, NULL, 3, 2, &diag), L2O_ERR_NUMERIC, &diag);
  assert_string_equal(diag.text, "data: row 1, feature 1 is nan, expected a finite number");
  labels[2] = (double)INFINITY;
  assert_status(l2o_dataset_new(&data, A, labels, 3, 1, &diag), L2O_ERR_NUMERIC, &diag);
  assert_string_equal(diag.text, "data: label 2 is inf, expected a finite number");
  assert_null(data);
}

/* ---- short memory ---- */

static l2o_status read_and_free(void *path) {
  l2o_dataset *data;
  const l2o_status status = l2o_dataset_read(&data, path, NULL);
  assert_true(!data == (status != L2O_OK));
  l2o_dataset_free(data);
  return status;
}

static l2o_status copy_and_free(void *context) {
  const l2o_real A[2] = {1, 2};
  const double classes[2] = {1, 2};
  l2o_dataset *data;
  (void)context;
  const l2o_status status = l2o_dataset_new(&data, A, classes, 2, 1, NULL);
  l2o_dataset_free(data);
  return status;
}

/* ---- safetensors ---- */

typedef struct array {
  const char *name;
  l2o_dtype dtype;
  size_t rank, shape[3];
  const double *values;
} array;

static const char *tensors_of(const array *arrays, size_t count) {
  l2o_tensor_writer *writer;
  l2o_diag diag = {""};
  const char *path = in_folder("f");
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (size_t i = 0; i < count; i++)
    assert_status(l2o_tensor_writer_add(writer, arrays[i].name, arrays[i].dtype, arrays[i].values, arrays[i].shape, arrays[i].rank),
                  L2O_OK, NULL);
  assert_status(l2o_tensor_writer_save(writer, path, &diag), L2O_OK, &diag);
  l2o_tensor_writer_free(writer);
  return path;
}

static const double six[6] = {3, 0, 151935, -1, 7, 7}, three[3] = {1, 0.5, 1}, spoiled[6] = {1, 2, 3, (double)NAN, 5, 6};

static void tensors_are_rows(void **state) {
  (void)state;
  const array tokens[] = {{"tokens", L2O_I64, 2, {2, 3}, six}};
  l2o_dataset *data = read_back(tensors_of(tokens, 1));
  assert_true(data->rows == 2 && data->features == 3 && !data->labels && data->class_count == 0 && data->image_height == 0);
  assert_string_equal(data->name, "f");
  for (size_t i = 0; i < 6; i++)
    assert_true((double)data->A[i] == six[i]);
  l2o_dataset_free(data);
  const array table[] = {{"labels", L2O_F32, 1, {3}, three}, {"data", L2O_F32, 2, {3, 2}, six}};
  data = read_back(tensors_of(table, 2));
  assert_true(data->rows == 3 && data->features == 2 && data->class_count == 2);
  assert_true(data->classes[0] == 0.5 && data->class_of[0] == 1 && data->class_of[1] == 0 && data->labels[2] == 1);
  for (size_t i = 0; i < 6; i++)
    assert_true((double)data->A[i] == six[i]);
  l2o_dataset_free(data);
  enum { MANY = 5000 }; /* more than a piece */
  static double values[2 * MANY];
  for (size_t i = 0; i < 2 * MANY; i++)
    values[i] = (double)(i % 1000);
  const array many[] = {{"data", L2O_F64, 2, {MANY, 2}, values}};
  data = read_back(tensors_of(many, 1));
  for (size_t i = 0; i < 2 * MANY; i++)
    assert_true((double)data->A[i] == values[i]);
  l2o_dataset_free(data);
}

static void bad_tensors_are_told(void **state) {
  (void)state;
  static const double huge[6] = {1, 2, 3, 16777217, 0, 0};
  static const struct {
    array arrays[3];
    size_t count;
    const char *sentence;
  } cases[] = {
      {{{"labels", L2O_F64, 1, {3}, three}}, 1, "f: has no tensor `tokens` or `data`"},
      {{{"token", L2O_I64, 2, {2, 3}, six}}, 1, "f: tensor 'token' is unknown, expected tokens or data, and perhaps labels"},
      {{{"tokens", L2O_I64, 2, {2, 3}, six}, {"data", L2O_F64, 2, {3, 2}, six}}, 2, "f: has tokens and data, expected one of them"},
      {{{"tokens", L2O_F64, 2, {2, 3}, six}}, 1, "f: tokens are no whole numbers, expected dtype I64"},
      {{{"tokens", L2O_I64, 1, {6}, six}},
       1,
       "f: tensor 'tokens' has 1 sizes and 6 elements, expected rows of features, at least one of each"},
      {{{"data", L2O_F64, 2, {0, 4}, six}},
       1,
       "f: tensor 'data' has 2 sizes and 0 elements, expected rows of features, at least one of each"},
      {{{"data", L2O_F64, 2, {2, 3}, six}, {"labels", L2O_F64, 1, {3}, three}},
       2,
       "f: labels have 1 sizes and 3 elements, expected one for each of the 2 rows"},
      {{{"data", L2O_F64, 2, {2, 3}, spoiled}}, 1, "f: row 1, column 0 is nan, expected a finite number that this precision holds"},
      {{{"data", L2O_F64, 2, {3, 2}, six}, {"labels", L2O_F64, 1, {3}, spoiled + 1}},
       2,
       "f: label 2 is nan, expected a finite number"},
#ifdef L2O_SINGLE
      {{{"tokens", L2O_I64, 2, {2, 3}, huge}}, 1, "f: row 1, column 0 is 16777217, expected a token that this precision holds"},
#endif
  };
  (void)huge;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_dataset *data;
    l2o_diag diag = {""};
    const l2o_status status = l2o_dataset_read(&data, tensors_of(cases[i].arrays, cases[i].count), &diag);
    assert_sentence(status, L2O_ERR_FORMAT, &data, &diag, cases[i].sentence);
  }
  const array tokens[] = {{"tokens", L2O_I64, 2, {2, 3}, six}};
  l2o_dataset *data;
  l2o_diag diag = {""};
  tensors_of(tokens, 1);
  assert_int_equal(truncate(in_folder("f"), 100), 0);
  assert_status(l2o_dataset_read(&data, in_folder("f"), &diag), L2O_ERR_FORMAT, NULL);
  assert_null(data);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  static const char images[] = IDX3 SIZE("\2") SIZE("\1") SIZE("\1") "\0\xff", labels[] = IDX1 SIZE("\2") "\5\3";
  file_of("my-images-idx3-ubyte", images, sizeof images - 1, true);
  file_of("my-labels-idx1-ubyte", labels, sizeof labels - 1, true);
  file_of("only-images-idx3-ubyte", images, sizeof images - 1, false);
  file_of("short.idx", images, sizeof images - 2, false);
  file_of("plain.pgm", "P2 1 2 9\n9 9\n", 13, false);
  file_of("plain-short.pgm", "P2 1 2 9\n9\n", 11, false);
  file_of("binary-above.pgm", "P5 1 1 9\n\xa", 10, false);
  file_of("some.libsvm", "1 1:2 3:4\n-1 2:5\n", 17, false);
  file_of("bad.libsvm", "1 1:2 3:4\n-1 2;5\n", 17, false);
  static const struct {
    const char *name;
    l2o_status status;
  } files[] = {{"my-images-idx3-ubyte", L2O_OK},
               {"only-images-idx3-ubyte", L2O_OK},
               {"short.idx", L2O_ERR_FORMAT},
               {"plain.pgm", L2O_OK},
               {"plain-short.pgm", L2O_ERR_FORMAT},
               {"binary-above.pgm", L2O_ERR_FORMAT},
               {"some.libsvm", L2O_OK},
               {"bad.libsvm", L2O_ERR_FORMAT}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[sizeof in_folder_path];
    strcpy(path, in_folder(files[i].name));
    assert_true(assert_allocations_may_fail(read_and_free, path, files[i].status, ALL_ARE_NEEDED) >= 8);
  }
  assert_true(assert_allocations_may_fail(copy_and_free, NULL, L2O_OK, ALL_ARE_NEEDED) >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ionosphere_is_read),
      cmocka_unit_test(spambase_is_read),
      cmocka_unit_test(mnist_is_read),
      cmocka_unit_test(photographs_are_read),
      cmocka_unit_test_setup_teardown(gzipped_equals_plain, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(free_forms_of_libsvm, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(the_caller_may_name_the_number_of_features, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_row_may_be_longer_than_any_buffer, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_word_may_have_127_characters, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(labels_are_classes_up_to_a_number, make_folder, remove_folder),
#ifdef __GLIBC__
      cmocka_unit_test_setup_teardown(a_decimal_comma_elsewhere_changes_nothing, make_folder, remove_folder),
#endif
      cmocka_unit_test_setup_teardown(plain_and_binary_pictures, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(arrays_of_one_to_three_sizes, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(labels_are_found_beside_the_images, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(bad_libsvm_is_told_by_line, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(values_must_fit_the_precision, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(bad_idx_is_told, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(bad_pgm_is_told, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(damaged_compression_is_told, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(unreadable_paths_say_why, make_folder, remove_folder),
      cmocka_unit_test(arrays_are_copied),
      cmocka_unit_test_setup_teardown(tensors_are_rows, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(bad_tensors_are_told, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(every_allocation_may_fail, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
