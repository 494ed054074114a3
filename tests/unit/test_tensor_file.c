/* SPDX-License-Identifier: BSD-3-Clause */
#include "l2o_test.h"

#include "core/file_atomic.h"
#include "counting_malloc.h"
#include <dirent.h>
#include <l2o/tensor_file.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder for each test ---- */

static char folder[] = "/tmp/l2o_tensor_file_XXXXXX";
static char path[sizeof folder + 40];

static const char *in_folder(const char *name) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static size_t entries(bool remove) {
  size_t count = 0;
  DIR *directory = opendir(folder);
  assert_non_null(directory);
  for (const struct dirent *entry; (entry = readdir(directory));)
    if (entry->d_name[0] != '.') {
      char full[sizeof folder + sizeof entry->d_name + 1];
      snprintf(full, sizeof full, "%s/%s", folder, entry->d_name);
      count++;
      if (remove && unlink(full) != 0)
        rmdir(full);
    }
  closedir(directory);
  return count;
}

static int setup(void **state) {
  (void)state;
  strcpy(folder + sizeof folder - 7, "XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  entries(true);
  return rmdir(folder);
}

static void write_bytes(const char *to, const void *bytes, size_t length) {
  FILE *stream = fopen(to, "wb");
  assert_non_null(stream);
  assert_int_equal(fwrite(bytes, 1, length, stream), length);
  assert_int_equal(fclose(stream), 0);
}

static size_t read_bytes(const char *from, unsigned char *bytes, size_t room) {
  FILE *stream = fopen(from, "rb");
  assert_non_null(stream);
  size_t length = fread(bytes, 1, room, stream);
  fclose(stream);
  return length;
}

/* ---- files in memory ---- */

/* Header length, header, `data` bytes 0, 1, 2, ...; returns the length of it all. */
static size_t compose(unsigned char *bytes, const char *json, size_t data) {
  size_t header = strlen(json);
  for (int i = 0; i < 8; i++)
    bytes[i] = (unsigned char)(header >> 8 * i);
  memcpy(bytes + 8, json, header);
  for (size_t i = 0; i < data; i++)
    bytes[8 + header + i] = (unsigned char)i;
  return 8 + header + data;
}

static l2o_tensor_file *parsed(const char *json, size_t data) {
  unsigned char bytes[2000];
  l2o_diag diag = {""};
  l2o_tensor_file *file;
  assert_status(l2o_tensor_file_parse(&file, bytes, compose(bytes, json, data), "memory", &diag), L2O_OK, &diag);
  return file;
}

static void assert_refused_bytes(const void *bytes, size_t length, const char *sentence) {
  l2o_diag diag = {""};
  l2o_tensor_file *file = (l2o_tensor_file *)&diag;
  l2o_status status = l2o_tensor_file_parse(&file, bytes, length, "f", &diag);
  assert_null(file);
  assert_string_equal(diag.text, sentence);
  assert_status(status, L2O_ERR_FORMAT, &diag);
  assert_status(l2o_tensor_file_parse(&file, bytes, length, "f", NULL), L2O_ERR_FORMAT, NULL);
}

static void assert_refused(const char *json, size_t data, const char *sentence) {
  unsigned char bytes[2000];
  assert_refused_bytes(bytes, compose(bytes, json, data), sentence);
}

/* ---- writing and reading back ---- */

static void roundtrip_of_every_type_and_rank(void **state) {
  (void)state;
  static const size_t shape[L2O_TENSOR_MAX_RANK] = {2, 1, 3, 2, 1, 2, 1, 2};
  double values[48], back[48];
  char name[16];
  l2o_tensor_writer *writer;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (int i = 0; i < 48; i++)
    values[i] = (i - 20) * 1024.0; /* exact in all three types */
  for (size_t rank = 0; rank <= L2O_TENSOR_MAX_RANK; rank++)
    for (l2o_dtype dtype = L2O_F32; dtype <= L2O_I64; dtype++) {
      snprintf(name, sizeof name, "%d/%zu", (int)dtype, rank);
      assert_status(l2o_tensor_writer_add(writer, name, dtype, values, shape, rank), L2O_OK, NULL);
    }
  assert_status(l2o_tensor_writer_save(writer, in_folder("all"), NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);

  l2o_tensor_file *file;
  l2o_diag diag = {""};
  assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_OK, &diag);
  assert_int_equal(l2o_tensor_file_count(file), 27);
  assert_null(l2o_tensor_file_at(file, 27));
  for (size_t i = 0, rank = 0; rank <= L2O_TENSOR_MAX_RANK; rank++)
    for (l2o_dtype dtype = L2O_F32; dtype <= L2O_I64; dtype++, i++) {
      snprintf(name, sizeof name, "%d/%zu", (int)dtype, rank);
      const l2o_tensor *tensor = l2o_tensor_file_at(file, i);
      assert_ptr_equal(tensor, l2o_tensor_file_find(file, name));
      assert_string_equal(tensor->name, name);
      assert_int_equal(tensor->dtype, dtype);
      assert_int_equal(tensor->rank, rank);
      size_t count = 1;
      for (size_t k = 0; k < rank; k++) {
        assert_int_equal(tensor->shape[k], shape[k]);
        count *= shape[k];
      }
      assert_int_equal(tensor->count, count);
      l2o_tensor_to_double(tensor, back);
      assert_memory_equal(back, values, count * sizeof *back);
    }
  assert_null(l2o_tensor_file_find(file, "absent"));
  l2o_tensor_file_free(file);
}

static void the_bytes_are_those_of_the_format(void **state) {
  (void)state;
  static const char json[] = "{\"__metadata__\":{\"rule\":\"adam\"},"
                             "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                             "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[4,12]}}      ";
  static const unsigned char data[] = {0, 0, 0xc0, 0x3f, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  unsigned char expected[400], actual[400];
  size_t header = sizeof json - 1, length = compose(expected, json, 0);
  assert_int_equal(header % 8, 0);
  memcpy(expected + length, data, sizeof data);
  length += sizeof data;
  for (int repeat = 0; repeat < 2; repeat++) {
    l2o_tensor_writer *writer;
    assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
    assert_status(l2o_tensor_writer_add(writer, "a", L2O_F32, &(double){1.5}, &(size_t){1}, 1), L2O_OK, NULL);
    assert_status(l2o_tensor_writer_add(writer, "b", L2O_I64, &(double){-2}, NULL, 0), L2O_OK, NULL);
    assert_status(l2o_tensor_writer_metadata(writer, "rule", "adam"), L2O_OK, NULL);
    assert_status(l2o_tensor_writer_save(writer, in_folder("bytes"), NULL), L2O_OK, NULL);
    l2o_tensor_writer_free(writer);
    assert_int_equal(read_bytes(path, actual, sizeof actual), length);
    assert_memory_equal(actual, expected, length);
  }
}

static void metadata_survives(void **state) {
  (void)state;
  static const char text[] = "tab\t, newline\n, \"quoted\", \\, \x01 and \xc3\xa9";
  l2o_tensor_writer *writer;
  l2o_tensor_file *file;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_metadata(writer, "text", "to be replaced"), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_metadata(writer, "Text", "another key"), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_metadata(writer, "text", text), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_save(writer, in_folder("metadata"), NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  assert_status(l2o_tensor_file_open(&file, path, NULL), L2O_OK, NULL);
  assert_string_equal(l2o_tensor_file_metadata(file, "text"), text);
  assert_string_equal(l2o_tensor_file_metadata(file, "Text"), "another key");
  assert_null(l2o_tensor_file_metadata(file, "TEXT"));
  l2o_tensor_file_free(file);

  file = parsed("{}", 0);
  assert_null(l2o_tensor_file_metadata(file, "text"));
  l2o_tensor_file_free(file);
}

static void bits_of_not_a_number_survive(void **state) {
  (void)state;
  static const uint64_t bits[] = {0x7ff8000000000000, 0xfff8000000abcdef, 0x7ff0000000000001,
                                  0x7ff0000000000000, 0x8000000000000000, 1};
  enum { COUNT = sizeof bits / sizeof *bits };
  double values[COUNT], back[COUNT];
  size_t shape = COUNT;
  memcpy(values, bits, sizeof bits);
  l2o_tensor_writer *writer;
  l2o_tensor_file *file;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "wide", L2O_F64, values, &shape, 1), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "narrow", L2O_F32, values, &shape, 1), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_save(writer, in_folder("nan"), NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  assert_status(l2o_tensor_file_open(&file, path, NULL), L2O_OK, NULL);
  l2o_tensor_to_double(l2o_tensor_file_find(file, "wide"), back);
  assert_memory_equal(back, bits, sizeof bits);
  l2o_tensor_to_double(l2o_tensor_file_find(file, "narrow"), back);
  assert_true(isnan(back[0]) && isnan(back[1]) && signbit(back[1]) && isnan(back[2]) && isinf(back[3]));
  assert_true(back[4] == 0 && signbit(back[4]) && back[5] == 0);
  l2o_tensor_file_free(file);
}

static void whole_numbers_are_exact_or_refused(void **state) {
  (void)state;
  static const double good[] = {0, -1, 9007199254740992.0, -9223372036854775808.0, 9223372036854774784.0};
  static const double bad[] = {0.5,        9223372036854775808.0, -9223372036854777856.0, (double)INFINITY, -(double)INFINITY,
                               (double)NAN};
  double back[5];
  l2o_tensor_writer *writer;
  l2o_tensor_file *file;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_status(l2o_tensor_writer_add(writer, "n", L2O_I64, &bad[i], NULL, 0), L2O_ERR_ARG, NULL);
  assert_status(l2o_tensor_writer_add(writer, "n", L2O_I64, good, &(size_t){5}, 1), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_save(writer, in_folder("whole"), NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  assert_status(l2o_tensor_file_open(&file, path, NULL), L2O_OK, NULL);
  l2o_tensor_to_double(l2o_tensor_file_at(file, 0), back);
  assert_memory_equal(back, good, sizeof good);
  l2o_tensor_file_free(file);
}

static void writer_refuses_what_cannot_be_read(void **state) {
  (void)state;
  static const size_t deep[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, large[] = {0, (size_t)1 << 53, (size_t)1 << 53};
  double one = 1;
  l2o_tensor_writer *writer;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "a", L2O_F64, &one, NULL, 0), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "a", L2O_F32, &one, NULL, 0), L2O_ERR_ARG, NULL);
  assert_status(l2o_tensor_writer_add(writer, "__metadata__", L2O_F64, &one, NULL, 0), L2O_ERR_ARG, NULL);
  assert_status(l2o_tensor_writer_add(writer, "b", (l2o_dtype)5, &one, NULL, 0), L2O_ERR_ARG, NULL);
  assert_status(l2o_tensor_writer_add(writer, "b", L2O_F64, &one, deep, 9), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_tensor_writer_add(writer, "b", L2O_F64, &one, large, 3), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_tensor_writer_add(writer, "b", L2O_F64, NULL, (size_t[]){0, ((size_t)1 << 53) + 1}, 2), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_tensor_writer_add(writer, "empty", L2O_F64, NULL, (size_t[]){3, 0}, 2), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_save(writer, in_folder("left"), NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  l2o_tensor_file *file;
  assert_status(l2o_tensor_file_open(&file, path, NULL), L2O_OK, NULL);
  assert_int_equal(l2o_tensor_file_count(file), 2); /* what was refused left nothing behind */
  assert_int_equal(l2o_tensor_file_find(file, "empty")->count, 0);
  l2o_tensor_file_free(file);
}

static void golden_file_is_read(void **state) {
  (void)state;
  l2o_tensor_file *file;
  l2o_diag diag = {""};
  assert_status(l2o_tensor_file_open(&file, L2O_TEST_DATA "/golden/dnn_qp_8x6_train.safetensors", &diag), L2O_OK, &diag);
  assert_int_equal(l2o_tensor_file_count(file), 30);
  double n, values[3 * 6 * 8];
  l2o_tensor_to_double(l2o_tensor_file_find(file, "n"), &n);
  assert_true(n == 8);
  const l2o_tensor *w = l2o_tensor_file_find(file, "W");
  assert_int_equal(w->rank, 3);
  assert_int_equal(w->count, 3 * 6 * 8);
  l2o_tensor_to_double(w, values);
  for (int column = 0; column < 8; column++) { /* README.md there: columns of unit norm */
    double square = 0;
    for (int row = 0; row < 6; row++)
      square += values[row * 8 + column] * values[row * 8 + column];
    assert_close(square, 1, 1e-14, 0);
  }
  l2o_tensor_file_free(file);
}

/* ---- files that are not what they should be ---- */

static void layouts_that_are_fine(void **state) {
  (void)state;
  l2o_tensor_file *file = parsed("{}", 0);
  assert_int_equal(l2o_tensor_file_count(file), 0);
  l2o_tensor_file_free(file);
  file = parsed("{\"late\":{\"shape\":[2],\"data_offsets\":[4,12],\"dtype\":\"F32\"},"
                "\"none\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[4,4]},"
                "\"early\":{\"dtype\":\"F32\",\"shape\":[ ],\"data_offsets\":[0,4]}}   ",
                12);
  assert_string_equal(l2o_tensor_file_at(file, 0)->name, "late");
  assert_int_equal(((const unsigned char *)l2o_tensor_file_at(file, 0)->data)[0], 4);
  assert_int_equal(l2o_tensor_file_at(file, 1)->shape[1], 7);
  assert_int_equal(l2o_tensor_file_at(file, 1)->count, 0);
  assert_int_equal(l2o_tensor_file_find(file, "early")->count, 1);
  l2o_tensor_file_free(file);
}

static void truncated_files_are_refused(void **state) {
  (void)state;
  unsigned char bytes[400];
  size_t length = compose(bytes, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
  l2o_tensor_file *file;
  for (size_t cut = 0; cut < length; cut++) {
    l2o_diag diag = {""};
    assert_status(l2o_tensor_file_parse(&file, bytes, cut, "f", &diag), L2O_ERR_FORMAT, &diag);
    assert_null(file);
    assert_true(strlen(diag.text) > 20);
  }
  assert_refused_bytes(NULL, 0, "f: 0 bytes long, expected a safetensors file, which starts with 8 bytes for the header's length");
  assert_refused_bytes(
      "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10,
      "f: the header should have 18446744073709551615 bytes, but only 2 follow: cut off, or not a safetensors file");
  write_bytes(in_folder("empty"), "", 0);
  assert_status(l2o_tensor_file_open(&file, path, NULL), L2O_ERR_FORMAT, NULL);
  assert_null(file);

  size_t large = ((size_t)16 << 20) + 1;
  unsigned char *spaces = malloc(8 + large);
  assert_non_null(spaces);
  memset(spaces, ' ', 8 + large);
  memcpy(spaces, "\x01\x00\x00\x01\x00\x00\x00\x00{}", 10);
  assert_refused_bytes(spaces, 8 + large, "f: the header has 16777217 bytes, supported are 16777216");
  free(spaces);
}

#define ENTRY(dtype, shape, offsets) "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void broken_headers_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *json;
    size_t data;
    const char *sentence;
  } cases[] = {
      {"", 2, "f: the header does not start with '{', expected a safetensors file"},
      {"[]", 0, "f: the header does not start with '{', expected a safetensors file"},
      {"{\"a\":}", 0, "f: the header is not JSON near its byte 5 of 6"},
      {"{} x", 0, "f: the header goes on behind its JSON object at byte 3, expected only spaces"},
      {"{\"a\\u0000b\":1}", 0, "f: the header has a zero character"},
      {"{\"a\":1}", 0, "f: tensor 'a': its entry is 1, expected an object"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, "f: tensor 'a': data_offsets is missing"},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F64\"}}", 0, "f: tensor 'a': dtype is given twice, expected once"},
      {"{\"a\":{\"type\":\"F32\"}}", 0, "f: tensor 'a': unknown key 'type', expected dtype, shape and data_offsets"},
      {"{\"a\":1,\"b\":2,\"a\":3}", 0, "f: two tensors are named 'a', expected different names"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "f: two tensors are named '__metadata__', expected different names"},
      {"{\"__metadata__\":[]}", 0, "f: __metadata__ is an array, expected an object of texts"},
      {"{\"__metadata__\":{\"k\":null}}", 0, "f: __metadata__ 'k' is null, expected a text"},
      {"{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}}", 0, "f: two __metadata__ texts are named 'k', expected different names"},
      {ENTRY("\"BF8\"", "[1]", "[0,2]"), 2, "f: tensor 'a': dtype is \"BF8\", supported are F32, F64, I64, F16 and BF16"},
      {ENTRY("\"BF16\"", "[2]", "[0,3]"), 3, "f: tensor 'a': data_offsets span 3 bytes, expected 4 for 2 elements of BF16"},
      {ENTRY("\"F16\"", "[3]", "[0,5]"), 5, "f: tensor 'a': data_offsets span 5 bytes, expected 6 for 3 elements of F16"},
      {ENTRY("true", "[1]", "[0,2]"), 2, "f: tensor 'a': dtype is a truth value, supported are F32, F64, I64, F16 and BF16"},
      {ENTRY("\"F32\"", "1", "[0,4]"), 4, "f: tensor 'a': shape is 1, expected an array of sizes"},
      {ENTRY("\"F32\"", "[-1]", "[0,4]"), 4, "f: tensor 'a': shape has the size -1, expected a whole number from 0 to 2^53"},
      {ENTRY("\"F32\"", "[1.5]", "[0,4]"), 4, "f: tensor 'a': shape has the size 1.5, expected a whole number from 0 to 2^53"},
      {ENTRY("\"F32\"", "[1e999]", "[0,4]"), 4, "f: tensor 'a': shape has the size inf, expected a whole number from 0 to 2^53"},
      {ENTRY("\"F32\"", "[[1]]", "[0,4]"), 4, "f: tensor 'a': shape has the size an array, expected a whole number from 0 to 2^53"},
      {ENTRY("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "f: tensor 'a': shape has 9 sizes, supported are 8"},
      {ENTRY("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0,
       "f: tensor 'a': shape is too large: its 2 sizes multiply to more bytes than memory has"},
      {ENTRY("\"F32\"", "[4294967296,4294967296,0]", "[0,0]"), 0,
       "f: tensor 'a': shape is too large: its 3 sizes multiply to more bytes than memory has"},
      {ENTRY("\"F32\"", "[1]", "[0]"), 4, "f: tensor 'a': data_offsets is an array, expected two numbers, begin and end"},
      {ENTRY("\"F32\"", "[1]", "[0,{}]"), 4, "f: tensor 'a': data_offsets has an object, expected a whole number from 0 to 2^53"},
      {ENTRY("\"F32\"", "[1]", "[4,0]"), 4, "f: tensor 'a': data_offsets begin at 4 and end before, at 0"},
      {ENTRY("\"F32\"", "[2]", "[0,8]"), 4, "f: tensor 'a': data_offsets end at 8, but the file has only 4 bytes of data"},
      {ENTRY("\"F32\"", "[2]", "[0,4]"), 4, "f: tensor 'a': data_offsets span 4 bytes, expected 8 for 2 elements of F32"},
      {ENTRY("\"F32\"", "[1]", "[0,4]"), 5, "f: the tensors end at 4, but the file has 5 bytes of data"},
      {ENTRY("\"F32\"", "[1]", "[1,5]"), 5, "f: tensor 'a': its data begins at 1, expected 0: no tensor covers the bytes between"},
      {"{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,"
       "4]}}",
       6, "f: tensor 'b': its data begins at 2, inside tensor 'a', which ends at 4"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,"
       "4]}}",
       4, "f: tensor 'b': its data begins at 0, inside tensor 'a', which ends at 4"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_refused(cases[i].json, cases[i].data, cases[i].sentence);
}

static void long_names_leave_room_for_the_reason(void **state) {
  (void)state;
  char json[1400] = "{\"", expected[200];
  memset(json + 2, 'n', 1000);
  strcpy(json + 1002, "\":{}}");
  snprintf(expected, sizeof expected, "f: tensor '%.80s': dtype is missing", json + 2);
  assert_refused(json, 0, expected);
}

static void deep_nesting_is_refused(void **state) {
  (void)state;
  char json[1900] = "{\"a\":";
  memset(json + 5, '[', 1800);
  assert_refused(json, 0, "f: the header is not JSON near its byte 1004 of 1805");
}

/* ---- the file system ---- */

static void unreadable_paths_say_why(void **state) {
  (void)state;
  l2o_diag diag;
  l2o_tensor_file *file = (l2o_tensor_file *)&diag;
  char expected[200];
  snprintf(expected, sizeof expected, "%s: cannot read: No such file or directory", in_folder("absent"));
  assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_ERR_IO, NULL);
  assert_null(file);
  assert_string_equal(diag.text, expected);
  snprintf(expected, sizeof expected, "%s: cannot read: Is a directory", folder);
  assert_status(l2o_tensor_file_open(&file, folder, &diag), L2O_ERR_IO, NULL);
  assert_string_equal(diag.text, expected);
  assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
  snprintf(expected, sizeof expected, "%s: cannot read: not a regular file", path);
  assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_ERR_IO, NULL);
  assert_string_equal(diag.text, expected);
  if (geteuid() != 0) { /* nothing is unreadable for root */
    write_bytes(in_folder("secret"), "", 0);
    assert_int_equal(chmod(path, 0), 0);
    assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_ERR_IO, NULL);
    assert_non_null(strstr(diag.text, "Permission denied"));
  }
}

static l2o_tensor_writer *writer_of(size_t count) {
  l2o_tensor_writer *writer;
  double *values = calloc(count, sizeof *values);
  assert_non_null(values);
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "a", L2O_F64, values, &count, 1), L2O_OK, NULL);
  free(values);
  return writer;
}

static void unwritable_paths_say_why(void **state) {
  (void)state;
  l2o_tensor_writer *writer = writer_of(1);
  l2o_diag diag;
  char expected[200];
  snprintf(expected, sizeof expected, "%s: cannot write: No such file or directory", in_folder("absent/file"));
  assert_status(l2o_tensor_writer_save(writer, path, &diag), L2O_ERR_IO, NULL);
  assert_string_equal(diag.text, expected);
  assert_int_equal(mkdir(in_folder("directory"), 0700), 0);
  snprintf(expected, sizeof expected, "%s: cannot write: not an ordinary file", path);
  assert_status(l2o_tensor_writer_save(writer, path, &diag), L2O_ERR_IO, NULL);
  assert_string_equal(diag.text, expected);
  assert_int_equal(entries(false), 1);
  if (geteuid() != 0) {
    assert_int_equal(chmod(folder, 0500), 0);
    assert_status(l2o_tensor_writer_save(writer, in_folder("file"), &diag), L2O_ERR_IO, NULL);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_non_null(strstr(diag.text, "Permission denied"));
  }
  l2o_tensor_writer_free(writer);
}

static void a_file_is_replaced_whole(void **state) {
  (void)state;
  char stale[200];
  l2o_tensor_file *file;
  l2o_tensor_writer *writer = writer_of(3);
  write_bytes(in_folder("model"), "old", 3);
  snprintf(stale, sizeof stale, "%s.tmp-%ld", path, (long)getpid());
  write_bytes(stale, "of a killed process", 19);
  assert_status(l2o_tensor_writer_save(writer, path, NULL), L2O_OK, NULL);
  assert_int_equal(entries(false), 1);
  assert_status(l2o_tensor_file_open(&file, path, NULL), L2O_OK, NULL);
  assert_int_equal(l2o_tensor_file_at(file, 0)->count, 3);
  l2o_tensor_file_free(file);
  l2o_tensor_writer_free(writer);
}

static void a_full_disk_leaves_the_old_file(void **state) {
  (void)state;
  unsigned char bytes[10];
  l2o_diag diag = {""};
  l2o_tensor_writer *writer = writer_of(100000);
  write_bytes(in_folder("model"), "old", 3);
  struct rlimit before, tight;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  tight = before;
  tight.rlim_cur = 5000;
  signal(SIGXFSZ, SIG_IGN); /* the write then fails like one onto a full disk */
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
  l2o_status status = l2o_tensor_writer_save(writer, path, &diag);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_status(status, L2O_ERR_IO, &diag);
  assert_non_null(strstr(diag.text, "cannot write: File too large"));
  assert_int_equal(entries(false), 1);
  assert_int_equal(read_bytes(path, bytes, sizeof bytes), 3);
  l2o_tensor_writer_free(writer);
}

static void an_abandoned_file_leaves_nothing(void **state) {
  (void)state;
  l2o_atomic_file file;
  assert_status(l2o_file_begin(&file, in_folder("text"), NULL), L2O_OK, NULL);
  fprintf(file.stream, "half");
  assert_int_equal(entries(false), 1);
  l2o_file_abandon(&file);
  l2o_file_abandon(&file);
  assert_int_equal(entries(false), 0);
}

/* ---- short memory ---- */

static l2o_status write_and_read(const char *at) {
  l2o_tensor_writer *writer;
  l2o_tensor_file *file = NULL;
  double values[20] = {0};
  l2o_status status = l2o_tensor_writer_new(&writer);
  if (status != L2O_OK)
    return writer ? L2O_ERR_ARG : status;
  status = l2o_tensor_writer_metadata(writer, "key", "text");
  if (status == L2O_OK)
    status = l2o_tensor_writer_metadata(writer, "key", "a longer text");
  if (status == L2O_OK)
    status = l2o_tensor_writer_add(writer, "a", L2O_F64, values, (size_t[]){4, 5}, 2);
  if (status == L2O_OK)
    status = l2o_tensor_writer_add(writer, "b", L2O_F32, values, NULL, 0);
  if (status == L2O_OK)
    status = l2o_tensor_writer_save(writer, at, NULL);
  l2o_tensor_writer_free(writer);
  if (status == L2O_OK) {
    status = l2o_tensor_file_open(&file, at, NULL);
    if (status != L2O_OK && file)
      status = L2O_ERR_ARG;
  }
  l2o_tensor_file_free(file);
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  in_folder("file");
  for (size_t n = 1;; n++) {
    allocations_watch(n);
    l2o_status status = write_and_read(path);
    allocations seen = allocations_seen();
    assert_int_equal(seen.live, 0);
    assert_int_equal(entries(false) > 1, 0);
    if (seen.calls < n) { /* none was left to fail */
      assert_status(status, L2O_OK, NULL);
      assert_true(n > 40);
      break;
    }
    if (status != L2O_OK) /* stdio does without its buffer, hence not always */
      assert_status(status, L2O_ERR_NOMEM, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(roundtrip_of_every_type_and_rank, setup, teardown),
      cmocka_unit_test_setup_teardown(the_bytes_are_those_of_the_format, setup, teardown),
      cmocka_unit_test_setup_teardown(metadata_survives, setup, teardown),
      cmocka_unit_test_setup_teardown(bits_of_not_a_number_survive, setup, teardown),
      cmocka_unit_test_setup_teardown(whole_numbers_are_exact_or_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(writer_refuses_what_cannot_be_read, setup, teardown),
      cmocka_unit_test(golden_file_is_read),
      cmocka_unit_test(layouts_that_are_fine),
      cmocka_unit_test_setup_teardown(truncated_files_are_refused, setup, teardown),
      cmocka_unit_test(broken_headers_are_refused),
      cmocka_unit_test(long_names_leave_room_for_the_reason),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test_setup_teardown(unreadable_paths_say_why, setup, teardown),
      cmocka_unit_test_setup_teardown(unwritable_paths_say_why, setup, teardown),
      cmocka_unit_test_setup_teardown(a_file_is_replaced_whole, setup, teardown),
      cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_file, setup, teardown),
      cmocka_unit_test_setup_teardown(an_abandoned_file_leaves_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
