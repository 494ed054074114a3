/* SPDX-License-Identifier: BSD-3-Clause */
/* Safetensors: u64 header length (little-endian), a JSON object, the arrays back to back. The object maps each name to
 * {"dtype": "F64", "shape": [2, 3], "data_offsets": [begin, end]}, offsets counted from the end of the header, and "__metadata__"
 * to an object of texts. */
#include <l2o/tensor_file.h>

#include "core/diag.h"
#include "core/file_atomic.h"
#include "core/file_open.h"
#include "core/tensor_writer.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  PREFIX = 8,             /* bytes of the header length */
  HEADER_LIMIT = 16 << 20 /* far above any real header; cJSON needs 40 bytes for each that it reads */
};
#define METADATA "__metadata__"
static const uint64_t exact_limit = (uint64_t)1 << 53; /* JSON numbers are doubles */

static const struct {
  const char *name;
  size_t size;
} dtypes[] = {
    [L2O_F32] = {"F32", 4}, [L2O_F64] = {"F64", 8}, [L2O_I64] = {"I64", 8}, [L2O_F16] = {"F16", 2}, [L2O_BF16] = {"BF16", 2}};
enum { DTYPE_COUNT = sizeof dtypes / sizeof *dtypes };

struct l2o_tensor_file {
  unsigned char *bytes; /* the file, or its header alone, and a zero behind it */
  cJSON *header;        /* names and metadata texts stay in there */
  l2o_tensor *tensors;  /* in the header's order */
  size_t *begins;       /* (count) where each begins, counted from the end of the header */
  size_t count;
  int descriptor; /* of a file whose data is not in memory; else -1 */
  size_t data_at; /* in that file */
  char *path;     /* its name, for sentences */
};

/* Shifts instead of casts: no byte order, no alignment; compilers make one load or store of it. */
static inline uint64_t load_little(const unsigned char *from, size_t size) {
  uint64_t bits = 0;
  for (size_t i = size; i-- > 0;)
    bits = bits << 8 | from[i];
  return bits;
}

static void store_little(unsigned char *to, uint64_t bits, size_t size) {
  for (size_t i = 0; i < size; i++)
    to[i] = (unsigned char)(bits >> 8 * i);
}

/* False where the bytes do not fit into size_t. Zero sizes are left out of the check's product, so that who multiplies some of the
 * sizes later (strides) cannot overflow either. */
static bool count_elements(size_t *count, const size_t *shape, size_t rank, l2o_dtype dtype) {
  size_t bytes = dtypes[dtype].size;
  bool empty = false;
  for (size_t i = 0; i < rank; i++) {
    if (shape[i] == 0)
      empty = true;
    else if (__builtin_mul_overflow(bytes, shape[i], &bytes) || bytes > PTRDIFF_MAX)
      return false;
  }
  *count = empty ? 0 : bytes / dtypes[dtype].size;
  return true;
}

/* ---- reading ---- */

/* What the checks of one file share. */
typedef struct reading {
  const char *file; /* as sentences call it */
  l2o_diag *diag;
  size_t length; /* of the data behind the header */
} reading;

static l2o_status no_memory(const reading *r) {
  return l2o_fail(r->diag, L2O_ERR_NOMEM, "%s: out of memory", r->file);
}

#define BAD(...) l2o_fail(r->diag, L2O_ERR_FORMAT, __VA_ARGS__)
/* Names are cut in sentences: the reason, which follows, has to fit. */
#define BAD_TENSOR(format, ...) BAD("%s: tensor '%.80s': " format, r->file, t->name, __VA_ARGS__)

typedef struct phrase {
  char text[40];
} phrase;

/* "an array", "-1.5": what stands in the file where something else should. */
static phrase found(const cJSON *item) {
  phrase p;
  if (cJSON_IsNumber(item))
    snprintf(p.text, sizeof p.text, "%.17g", item->valuedouble);
  else if (cJSON_IsString(item))
    snprintf(p.text, sizeof p.text, "\"%.30s\"", item->valuestring);
  else
    snprintf(p.text, sizeof p.text, "%s",
             cJSON_IsArray(item)    ? "an array"
             : cJSON_IsObject(item) ? "an object"
             : cJSON_IsNull(item)   ? "null"
                                    : "a truth value");
  return p;
}

static bool read_size(size_t *out, const cJSON *item) {
  if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= (double)exact_limit))
    return false;
  uint64_t value = (uint64_t)item->valuedouble;
  *out = (size_t)value;
  return (double)value == item->valuedouble && *out == value;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t length_of(const cJSON *object) {
  size_t count = 0;
  for (const cJSON *item = object->child; item; item = item->next)
    count++;
  return count;
}

/* cJSON keeps members of the same name side by side. `what` they are: "tensors", ... */
static l2o_status check_names_differ(const reading *r, const cJSON *object, const char *what) {
  size_t count = 0;
  const char **names = malloc((length_of(object) + 1) * sizeof *names);
  if (!names)
    return no_memory(r);
  for (const cJSON *item = object->child; item; item = item->next)
    names[count++] = item->string;
  qsort(names, count, sizeof *names, compare_names);
  l2o_status status = L2O_OK;
  for (size_t i = 1; i < count && status == L2O_OK; i++)
    if (strcmp(names[i - 1], names[i]) == 0)
      status = BAD("%s: two %s are named '%.80s', expected different names", r->file, what, names[i]);
  free(names);
  return status;
}

static l2o_status check_metadata(const reading *r, const cJSON *metadata) {
  if (!cJSON_IsObject(metadata))
    return BAD("%s: " METADATA " is %s, expected an object of texts", r->file, found(metadata).text);
  for (const cJSON *item = metadata->child; item; item = item->next)
    if (!cJSON_IsString(item))
      return BAD("%s: " METADATA " '%.80s' is %s, expected a text", r->file, item->string, found(item).text);
  return check_names_differ(r, metadata, METADATA " texts");
}

static l2o_status read_dtype(const reading *r, l2o_tensor *t, const cJSON *dtype) {
  if (cJSON_IsString(dtype))
    for (int i = 0; i < DTYPE_COUNT; i++)
      if (strcmp(dtype->valuestring, dtypes[i].name) == 0) {
        t->dtype = (l2o_dtype)i;
        return L2O_OK;
      }
  return BAD_TENSOR("dtype is %s, supported are F32, F64, I64, F16 and BF16", found(dtype).text);
}

static l2o_status read_shape(const reading *r, l2o_tensor *t, const cJSON *shape) {
  if (!cJSON_IsArray(shape))
    return BAD_TENSOR("shape is %s, expected an array of sizes", found(shape).text);
  for (const cJSON *item = shape->child; item; item = item->next) {
    if (t->rank == L2O_TENSOR_MAX_RANK)
      return BAD_TENSOR("shape has %zu sizes, supported are %d", length_of(shape), L2O_TENSOR_MAX_RANK);
    if (!read_size(&t->shape[t->rank], item))
      return BAD_TENSOR("shape has the size %s, expected a whole number from 0 to 2^53", found(item).text);
    t->rank++;
  }
  if (!count_elements(&t->count, t->shape, t->rank, t->dtype))
    return BAD_TENSOR("shape is too large: its %zu sizes multiply to more bytes than memory has", t->rank);
  return L2O_OK;
}

static l2o_status read_offsets(const reading *r, const l2o_tensor *t, size_t *out, const cJSON *offsets) {
  size_t begin = 0, end = 0, need = t->count * dtypes[t->dtype].size;
  if (!cJSON_IsArray(offsets) || length_of(offsets) != 2)
    return BAD_TENSOR("data_offsets is %s, expected two numbers, begin and end", found(offsets).text);
  for (const cJSON *item = offsets->child; item; item = item->next)
    if (!read_size(item == offsets->child ? &begin : &end, item))
      return BAD_TENSOR("data_offsets has %s, expected a whole number from 0 to 2^53", found(item).text);
  if (begin > end)
    return BAD_TENSOR("data_offsets begin at %zu and end before, at %zu", begin, end);
  if (end > r->length)
    return BAD_TENSOR("data_offsets end at %zu, but the file has only %zu bytes of data", end, r->length);
  if (end - begin != need)
    return BAD_TENSOR("data_offsets span %zu bytes, expected %zu for %zu elements of %s", end - begin, need, t->count,
                      dtypes[t->dtype].name);
  *out = begin;
  return L2O_OK;
}

static l2o_status read_tensor(const reading *r, l2o_tensor *t, size_t *begin, const cJSON *entry) {
  static const char *const keys[] = {"dtype", "shape", "data_offsets"};
  enum { KEY_COUNT = sizeof keys / sizeof *keys };
  const cJSON *value[KEY_COUNT] = {NULL};
  t->name = entry->string;
  if (!cJSON_IsObject(entry))
    return BAD_TENSOR("its entry is %s, expected an object", found(entry).text);
  for (const cJSON *item = entry->child; item; item = item->next) {
    int k = 0;
    while (k < KEY_COUNT && strcmp(item->string, keys[k]) != 0)
      k++;
    if (k == KEY_COUNT)
      return BAD_TENSOR("unknown key '%.40s', expected dtype, shape and data_offsets", item->string);
    if (value[k])
      return BAD_TENSOR("%s is given twice, expected once", keys[k]);
    value[k] = item;
  }
  for (int k = 0; k < KEY_COUNT; k++)
    if (!value[k])
      return BAD_TENSOR("%s is missing", keys[k]);
  l2o_status status = read_dtype(r, t, value[0]);
  if (status == L2O_OK)
    status = read_shape(r, t, value[1]);
  if (status == L2O_OK)
    status = read_offsets(r, t, begin, value[2]);
  return status;
}

static size_t bytes_of(const l2o_tensor *t) {
  return t->count * dtypes[t->dtype].size;
}

/* A tensor and where it begins. */
typedef struct place {
  const l2o_tensor *tensor;
  size_t begin;
} place;

/* By place; an empty tensor goes before the one that begins where it stands. */
static int compare_places(const void *a, const void *b) {
  const place *p = a, *q = b;
  const l2o_tensor *s = p->tensor, *t = q->tensor;
  if (p->begin != q->begin)
    return p->begin < q->begin ? -1 : 1;
  if (bytes_of(s) != bytes_of(t))
    return bytes_of(s) < bytes_of(t) ? -1 : 1;
  return s < t ? -1 : s > t;
}

/* Every byte of the data belongs to exactly one tensor. */
static l2o_status check_places(const reading *r, const l2o_tensor_file *file) {
  place *order = malloc((file->count + 1) * sizeof *order);
  if (!order)
    return no_memory(r);
  for (size_t i = 0; i < file->count; i++)
    order[i] = (place){&file->tensors[i], file->begins[i]};
  qsort(order, file->count, sizeof *order, compare_places);
  size_t covered = 0;
  l2o_status status = L2O_OK;
  for (size_t i = 0; i < file->count && status == L2O_OK; i++) {
    const l2o_tensor *t = order[i].tensor;
    const size_t begin = order[i].begin;
    if (begin < covered)
      status =
          BAD_TENSOR("its data begins at %zu, inside tensor '%.80s', which ends at %zu", begin, order[i - 1].tensor->name, covered);
    else if (begin > covered)
      status = BAD_TENSOR("its data begins at %zu, expected %zu: no tensor covers the bytes between", begin, covered);
    covered = begin + bytes_of(t);
  }
  if (status == L2O_OK && covered != r->length)
    status = BAD("%s: the tensors end at %zu, but the file has %zu bytes of data", r->file, covered, r->length);
  free(order);
  return status;
}

/* A name or text with a zero character would end early in C, and two names could become one. */
static bool has_zero_character(const char *json, size_t length) {
  if (memchr(json, 0, length))
    return true;
  for (size_t i = 0; i + 6 <= length; i++)
    if (json[i] == '\\') {
      if (memcmp(json + i, "\\u0000", 6) == 0)
        return true;
      i++; /* the escaped character, perhaps a backslash */
    }
  return false;
}

static l2o_status parse_header(const reading *r, l2o_tensor_file *file, const char *json, size_t length) {
  if (length == 0 || json[0] != '{')
    return BAD("%s: the header does not start with '{', expected a safetensors file", r->file);
  if (has_zero_character(json, length))
    return BAD("%s: the header has a zero character", r->file);
  const char *end = json;
  errno = 0; /* cJSON answers NULL for lack of memory too; only malloc's ENOMEM tells that apart */
  file->header = cJSON_ParseWithLengthOpts(json, length, &end, false);
  if (!file->header && errno == ENOMEM)
    return no_memory(r);
  size_t parsed = (size_t)(end - json);
  if (!file->header)
    return BAD("%s: the header is not JSON near its byte %zu of %zu", r->file, parsed, length);
  for (; parsed < length; parsed++)
    if (json[parsed] != ' ')
      return BAD("%s: the header goes on behind its JSON object at byte %zu, expected only spaces", r->file, parsed);
  return check_names_differ(r, file->header, "tensors");
}

/* How long the header is that `prefix` announces, in a file of `length` bytes. */
static l2o_status header_length(const reading *r, size_t *out, const unsigned char *prefix, size_t length) {
  if (length < PREFIX)
    return BAD("%s: %zu bytes long, expected a safetensors file, which starts with %d bytes for the header's length", r->file,
               length, PREFIX);
  const uint64_t header = load_little(prefix, PREFIX);
  if (header > length - PREFIX)
    return BAD("%s: the header should have %llu bytes, but only %zu follow: cut off, or not a safetensors file", r->file,
               (unsigned long long)header, length - PREFIX);
  if (header > HEADER_LIMIT)
    return BAD("%s: the header has %llu bytes, supported are %d", r->file, (unsigned long long)header, HEADER_LIMIT);
  *out = (size_t)header;
  return L2O_OK;
}

/* What the header json[header] says of the r->length bytes behind it. */
static l2o_status parse_tensors(const reading *r, l2o_tensor_file *file, const char *json, size_t header) {
  l2o_status status = parse_header(r, file, json, header);
  if (status != L2O_OK)
    return status;
  const size_t count = length_of(file->header) + 1;
  file->tensors = calloc(count, sizeof *file->tensors);
  file->begins = calloc(count, sizeof *file->begins);
  if (!file->tensors || !file->begins)
    return no_memory(r);
  for (const cJSON *item = file->header->child; item && status == L2O_OK; item = item->next) {
    if (strcmp(item->string, METADATA) == 0) {
      status = check_metadata(r, item);
    } else {
      status = read_tensor(r, &file->tensors[file->count], &file->begins[file->count], item);
      file->count++;
    }
  }
  return status == L2O_OK ? check_places(r, file) : status;
}

/* The rest of `file`, whose bytes are there. */
static l2o_status parse_bytes(l2o_tensor_file *file, size_t length, const char *name, l2o_diag *diag) {
  reading r = {.file = name, .diag = diag};
  size_t header;
  l2o_status status = header_length(&r, &header, file->bytes, length);
  if (status == L2O_OK) {
    r.length = length - PREFIX - header;
    status = parse_tensors(&r, file, (const char *)file->bytes + PREFIX, header);
  }
  for (size_t i = 0; i < file->count && status == L2O_OK; i++)
    file->tensors[i].data = file->bytes + PREFIX + header + file->begins[i];
  return status;
}

/* A file with room for `length` bytes and a zero. */
static l2o_tensor_file *file_new(size_t length) {
  l2o_tensor_file *file = length < PTRDIFF_MAX ? calloc(1, sizeof *file) : NULL;
  if (file && !(file->bytes = malloc(length + 1))) {
    free(file);
    return NULL;
  }
  if (file) {
    file->bytes[length] = 0;
    file->descriptor = -1;
  }
  return file;
}

l2o_status l2o_tensor_file_parse(l2o_tensor_file **out, const void *bytes, size_t length, const char *name, l2o_diag *diag) {
  *out = NULL;
  l2o_tensor_file *file = file_new(length);
  if (!file)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", name);
  if (length)
    memcpy(file->bytes, bytes, length);
  l2o_status status = parse_bytes(file, length, name, diag);
  if (status == L2O_OK)
    *out = file;
  else
    l2o_tensor_file_free(file);
  return status;
}

/* bytes[0..length) = those of the file from `at` on; it has `size` bytes. */
static l2o_status read_at(int descriptor, unsigned char *bytes, size_t length, size_t at, size_t size, const char *path,
                          l2o_diag *diag) {
  for (size_t done = 0; done < length;) {
    ssize_t got = pread(descriptor, bytes + done, length - done, (off_t)(at + done));
    if (got > 0)
      done += (size_t)got;
    else if (got == 0)
      return l2o_fail(diag, L2O_ERR_IO, "%s: ended after %zu bytes of %zu: it changed while it was read", path, at + done, size);
    else if (errno != EINTR)
      return l2o_fail(diag, L2O_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
  }
  return L2O_OK;
}

l2o_status l2o_tensor_file_open(l2o_tensor_file **out, const char *path, l2o_diag *diag) {
  *out = NULL;
  int descriptor;
  size_t length;
  l2o_status status = l2o_file_open(&descriptor, &length, path, diag);
  if (status)
    return status;
  l2o_tensor_file *file = file_new(length);
  status = file ? read_at(descriptor, file->bytes, length, 0, length, path, diag)
                : l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory for its %zu bytes", path, length);
  close(descriptor);
  if (status == L2O_OK)
    status = parse_bytes(file, length, path, diag);
  if (status == L2O_OK)
    *out = file;
  else
    l2o_tensor_file_free(file);
  return status;
}

/* The rest of a file of which nothing but the descriptor is there. */
static l2o_status open_header(l2o_tensor_file **out, int descriptor, size_t length, const char *path, l2o_diag *diag) {
  reading r = {.file = path, .diag = diag};
  unsigned char prefix[PREFIX];
  size_t header = 0;
  l2o_status status = length < PREFIX ? L2O_OK : read_at(descriptor, prefix, PREFIX, 0, length, path, diag);
  if (status == L2O_OK)
    status = header_length(&r, &header, prefix, length);
  l2o_tensor_file *file = status == L2O_OK ? file_new(header) : NULL;
  *out = file;
  if (!file)
    return status == L2O_OK ? no_memory(&r) : status;
  file->data_at = PREFIX + header;
  r.length = length - file->data_at;
  const size_t name = strlen(path) + 1;
  file->path = malloc(name);
  if (!file->path)
    return no_memory(&r);
  memcpy(file->path, path, name);
  status = read_at(descriptor, file->bytes, header, PREFIX, length, path, diag);
  return status == L2O_OK ? parse_tensors(&r, file, (const char *)file->bytes, header) : status;
}

l2o_status l2o_tensor_file_open_header(l2o_tensor_file **out, const char *path, l2o_diag *diag) {
  int descriptor;
  size_t length;
  *out = NULL;
  l2o_status status = l2o_file_open(&descriptor, &length, path, diag);
  if (status)
    return status;
  status = open_header(out, descriptor, length, path, diag);
  if (status == L2O_OK) {
    (*out)->descriptor = descriptor;
  } else {
    close(descriptor);
    l2o_tensor_file_free(*out);
    *out = NULL;
  }
  return status;
}

void l2o_tensor_file_free(l2o_tensor_file *file) {
  if (!file)
    return;
  if (file->descriptor >= 0)
    close(file->descriptor);
  cJSON_Delete(file->header);
  free(file->tensors);
  free(file->begins);
  free(file->path);
  free(file->bytes);
  free(file);
}

size_t l2o_tensor_file_count(const l2o_tensor_file *file) {
  return file->count;
}

const l2o_tensor *l2o_tensor_file_at(const l2o_tensor_file *file, size_t i) {
  return i < file->count ? &file->tensors[i] : NULL;
}

const l2o_tensor *l2o_tensor_file_find(const l2o_tensor_file *file, const char *name) {
  for (size_t i = 0; i < file->count; i++)
    if (strcmp(file->tensors[i].name, name) == 0)
      return &file->tensors[i];
  return NULL;
}

const char *l2o_tensor_file_metadata(const l2o_tensor_file *file, const char *key) {
  const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(file->header, METADATA);
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, key));
}

/* Half precision: a sign, 5 bits of exponent, 10 of fraction. */
static double from_half(uint16_t half) {
  const uint64_t sign = half >> 15, exponent = half >> 10 & 31, fraction = half & 1023;
  const double least = (double)fraction * 0x1p-24;
  if (exponent == 0)
    return sign ? -least : least;
  const uint64_t bits = sign << 63 | (exponent == 31 ? (uint64_t)2047 : exponent + (1023 - 15)) << 52 | fraction << 42;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double from_single(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

/* out[0..count) from the bytes of so many elements */
static void convert(double *out, const unsigned char *from, l2o_dtype dtype, size_t count) {
  switch (dtype) {
  case L2O_F64:
    for (size_t i = 0; i < count; i++) {
      const uint64_t bits = load_little(from + 8 * i, 8);
      memcpy(&out[i], &bits, sizeof out[i]);
    }
    break;
  case L2O_F32:
    for (size_t i = 0; i < count; i++)
      out[i] = from_single((uint32_t)load_little(from + 4 * i, 4));
    break;
  case L2O_I64:
    for (size_t i = 0; i < count; i++)
      out[i] = (double)(int64_t)load_little(from + 8 * i, 8);
    break;
  case L2O_F16:
    for (size_t i = 0; i < count; i++)
      out[i] = from_half((uint16_t)load_little(from + 2 * i, 2));
    break;
  case L2O_BF16: /* the upper half of an F32 */
    for (size_t i = 0; i < count; i++)
      out[i] = from_single((uint32_t)load_little(from + 2 * i, 2) << 16);
    break;
  }
}

void l2o_tensor_to_double(const l2o_tensor *tensor, double *out) {
  convert(out, tensor->data, tensor->dtype, tensor->count);
}

l2o_status l2o_tensor_file_read(const l2o_tensor_file *file, double *out, size_t which, size_t first, size_t count,
                                l2o_diag *diag) {
  const l2o_tensor *t = l2o_tensor_file_at(file, which);
  if (!t || first > t->count || count > t->count - first)
    return l2o_fail(diag, L2O_ERR_ARG, "%s: elements %zu to %zu of tensor %zu are not there", file->path ? file->path : "a file",
                    first, first + count, which);
  const size_t size = dtypes[t->dtype].size;
  if (t->data) {
    convert(out, (const unsigned char *)t->data + first * size, t->dtype, count);
    return L2O_OK;
  }
  unsigned char bytes[4096];
  const size_t piece = sizeof bytes / size;
  l2o_status status = L2O_OK;
  for (size_t done = 0; done < count && status == L2O_OK; done += piece) {
    const size_t next = count - done < piece ? count - done : piece, at = file->data_at + file->begins[which];
    status = read_at(file->descriptor, bytes, next * size, at + (first + done) * size, at + t->count * size, file->path, diag);
    if (status == L2O_OK)
      convert(out + done, bytes, t->dtype, next);
  }
  return status;
}

/* ---- writing ---- */

struct l2o_tensor_writer {
  cJSON *header;       /* as it will stand in the file */
  cJSON *metadata;     /* its first member */
  unsigned char *data; /* as it will stand in the file */
  size_t used, room;
};

l2o_status l2o_tensor_writer_new(l2o_tensor_writer **out) {
  *out = NULL;
  l2o_tensor_writer *writer = calloc(1, sizeof *writer);
  if (!writer)
    return L2O_ERR_NOMEM;
  writer->header = cJSON_CreateObject();
  writer->metadata = writer->header ? cJSON_AddObjectToObject(writer->header, METADATA) : NULL;
  if (!writer->metadata) {
    l2o_tensor_writer_free(writer);
    return L2O_ERR_NOMEM;
  }
  *out = writer;
  return L2O_OK;
}

void l2o_tensor_writer_free(l2o_tensor_writer *writer) {
  if (!writer)
    return;
  cJSON_Delete(writer->header);
  free(writer->data);
  free(writer);
}

l2o_status l2o_tensor_writer_metadata(l2o_tensor_writer *writer, const char *key, const char *text) {
  cJSON *old = cJSON_GetObjectItemCaseSensitive(writer->metadata, key);
  if (!old)
    return cJSON_AddStringToObject(writer->metadata, key, text) ? L2O_OK : L2O_ERR_NOMEM;
  cJSON *fresh = cJSON_CreateString(text);
  if (!fresh)
    return L2O_ERR_NOMEM;
  char *swap = old->valuestring; /* keeps the key's place, and the old text where memory is short */
  old->valuestring = fresh->valuestring;
  fresh->valuestring = swap;
  cJSON_Delete(fresh);
  return L2O_OK;
}

static bool add_number(cJSON *array, size_t value) {
  return cJSON_AddItemToArray(array, cJSON_CreateNumber((double)value)); /* false for NULL */
}

static bool fill_entry(cJSON *entry, l2o_dtype dtype, const size_t *shape, size_t rank, size_t begin, size_t end) {
  if (!cJSON_AddStringToObject(entry, "dtype", dtypes[dtype].name))
    return false;
  cJSON *sizes = cJSON_AddArrayToObject(entry, "shape");
  for (size_t i = 0; i < rank && sizes; i++)
    if (!add_number(sizes, shape[i]))
      return false;
  cJSON *offsets = sizes ? cJSON_AddArrayToObject(entry, "data_offsets") : NULL;
  return offsets && add_number(offsets, begin) && add_number(offsets, end);
}

static bool reserve(l2o_tensor_writer *writer, size_t bytes) {
  if (bytes <= writer->room - writer->used)
    return true;
  size_t need;
  if (__builtin_add_overflow(writer->used, bytes, &need))
    return false;
  size_t room = need < writer->room + writer->room / 2 ? writer->room + writer->room / 2 : need;
  unsigned char *data = realloc(writer->data, room);
  if (!data)
    return false;
  writer->data = data;
  writer->room = room;
  return true;
}

/* False for a number that an I64 cannot hold. */
static bool store_values(unsigned char *to, l2o_dtype dtype, const double *values, size_t count) {
  size_t size = dtypes[dtype].size;
  for (size_t i = 0; i < count; i++, to += size) {
    uint64_t bits;
    if (dtype == L2O_F64) {
      memcpy(&bits, &values[i], sizeof bits);
    } else if (dtype == L2O_F32) {
      float value = (float)values[i];
      uint32_t word;
      memcpy(&word, &value, sizeof word);
      bits = word;
    } else {
      if (!(values[i] >= -0x1p63 && values[i] < 0x1p63) || (double)(int64_t)values[i] != values[i])
        return false;
      bits = (uint64_t)(int64_t)values[i];
    }
    store_little(to, bits, size);
  }
  return true;
}

/* Can there be such an array, and how many elements has it? */
static l2o_status check_entry(const l2o_tensor_writer *writer, size_t *count, const char *name, l2o_dtype dtype,
                              const size_t *shape, size_t rank) {
  if ((unsigned)dtype > L2O_I64 || cJSON_GetObjectItemCaseSensitive(writer->header, name)) /* METADATA is there, too */
    return L2O_ERR_ARG;
  if (rank > L2O_TENSOR_MAX_RANK || !count_elements(count, shape, rank, dtype))
    return L2O_ERR_SHAPE;
  for (size_t i = 0; i < rank; i++)
    if (shape[i] > exact_limit)
      return L2O_ERR_SHAPE;
  return L2O_OK;
}

/* The next `bytes` of the data are those of `name`. */
static l2o_status add_entry(l2o_tensor_writer *writer, const char *name, l2o_dtype dtype, const size_t *shape, size_t rank,
                            size_t bytes) {
  cJSON *entry = cJSON_CreateObject();
  if (!entry || !fill_entry(entry, dtype, shape, rank, writer->used, writer->used + bytes) ||
      !cJSON_AddItemToObject(writer->header, name, entry)) {
    cJSON_Delete(entry);
    return L2O_ERR_NOMEM;
  }
  writer->used += bytes;
  return L2O_OK;
}

l2o_status l2o_tensor_writer_add(l2o_tensor_writer *writer, const char *name, l2o_dtype dtype, const double *values,
                                 const size_t *shape, size_t rank) {
  size_t count;
  l2o_status status = check_entry(writer, &count, name, dtype, shape, rank);
  if (status)
    return status;
  const size_t bytes = count * dtypes[dtype].size;
  if (!reserve(writer, bytes))
    return L2O_ERR_NOMEM;
  if (bytes && !store_values(writer->data + writer->used, dtype, values, count))
    return L2O_ERR_ARG;
  return add_entry(writer, name, dtype, shape, rank, bytes);
}

static const l2o_dtype real_dtype = sizeof(l2o_real) == sizeof(float) ? L2O_F32 : L2O_F64;

l2o_status l2o_tensor_writer_declare(l2o_tensor_writer *writer, const char *name, const size_t *shape, size_t rank) {
  size_t count, end;
  l2o_status status = check_entry(writer, &count, name, real_dtype, shape, rank);
  if (!status && (__builtin_add_overflow(writer->used, count * sizeof(l2o_real), &end) || end > exact_limit))
    status = L2O_ERR_SHAPE;
  return status ? status : add_entry(writer, name, real_dtype, shape, rank, count * sizeof(l2o_real));
}

static void write_reals(FILE *stream, const l2o_real *values, size_t count) {
  unsigned char bytes[4096];
  const size_t size = sizeof *values, piece = sizeof bytes / size;
  for (size_t first = 0; first < count; first += piece) {
    const size_t next = count - first < piece ? count - first : piece;
    for (size_t i = 0; i < next; i++) {
      uint64_t bits = 0;
      uint32_t word;
      if (real_dtype == L2O_F32) {
        memcpy(&word, &values[first + i], sizeof word);
        bits = word;
      } else {
        memcpy(&bits, &values[first + i], size);
      }
      store_little(bytes + i * size, bits, size);
    }
    fwrite(bytes, size, next, stream);
  }
}

l2o_status l2o_tensor_writer_save_reals(const l2o_tensor_writer *writer, const l2o_real *values, const char *path, l2o_diag *diag) {
  char *json = cJSON_PrintUnformatted(writer->header);
  if (!json)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  size_t length = strlen(json), padding = -length % PREFIX; /* the data begins at a multiple of 8 bytes */
  l2o_atomic_file file = {0};
  l2o_status status = L2O_OK;
  if (length > HEADER_LIMIT - PREFIX)
    status =
        l2o_fail(diag, L2O_ERR_ARG, "%s: names and texts need %zu bytes, supported are %d", path, length, HEADER_LIMIT - PREFIX);
  else
    status = l2o_file_begin(&file, path, diag);
  if (status == L2O_OK) {
    unsigned char prefix[PREFIX];
    store_little(prefix, length + padding, PREFIX);
    fwrite(prefix, 1, PREFIX, file.stream);
    fprintf(file.stream, "%s%*s", json, (int)padding, "");
    if (values)
      write_reals(file.stream, values, writer->used / sizeof *values);
    else if (writer->used)
      fwrite(writer->data, 1, writer->used, file.stream);
    status = l2o_file_commit(&file, diag);
  }
  cJSON_free(json);
  return status;
}

l2o_status l2o_tensor_writer_save(const l2o_tensor_writer *writer, const char *path, l2o_diag *diag) {
  return l2o_tensor_writer_save_reals(writer, NULL, path, diag);
}
