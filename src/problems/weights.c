/* SPDX-License-Identifier: BSD-3-Clause */
/* Weights in files: a tensor for each part of x. A checkpoint in several files, shards, comes with an index, a JSON object whose
 * `weight_map` says which file has which tensor. */
#include "problems/weights.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/tensor_writer.h"
#include "problems/small_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char whole_file[] = "model.safetensors", index_file[] = "model.safetensors.index.json";
/* A head that is the table of tokens may be in a file all the same, as transformers' own files have it. */
static const char tied_head[] = "lm_head.weight", table[] = "model.embed_tokens.weight";

enum { PIECE = 8192, PATH_ROOM = 4096, INDEX_LIMIT = 64 << 20 };

/* The parts of x, also of a problem that has no layers. */
typedef struct parts {
  const l2o_block *blocks;
  size_t count;
  l2o_block whole;
} parts;

static void find_parts(parts *o, const l2o_problem *p) {
  o->blocks = l2o_problem_blocks(p, &o->count);
  if (o->blocks)
    return;
  o->whole = (l2o_block){.name = "x", .kind = L2O_BLOCK_OTHER, .rows = 1, .columns = p->n, .rank = 1};
  o->blocks = &o->whole;
  o->count = 1;
}

static const l2o_block *part_named(const parts *o, const char *name) {
  for (size_t i = 0; i < o->count; i++)
    if (strcmp(o->blocks[i].name, name) == 0)
      return &o->blocks[i];
  return NULL;
}

/* ---- writing ---- */

l2o_status l2o_weights_save(const l2o_problem *p, const l2o_real *x, const char *path, l2o_diag *diag) {
  parts o;
  l2o_tensor_writer *writer;
  find_parts(&o, p);
  l2o_status status = l2o_tensor_writer_new(&writer);
  if (status)
    return l2o_fail(diag, status, "%s: out of memory", path);
  for (size_t i = 0; i < o.count && !status; i++) {
    const l2o_block *b = &o.blocks[i];
    const size_t shape[2] = {b->rank == 2 ? b->rows : b->columns, b->columns};
    status = l2o_tensor_writer_declare(writer, b->name, shape, b->rank);
    if (status)
      l2o_fail(diag, status, "%s: tensor '%.80s': %s", path, b->name, l2o_strerror(status));
  }
  if (!status)
    status = l2o_tensor_writer_save_reals(writer, x, path, diag);
  l2o_tensor_writer_free(writer);
  return status;
}

/* ---- the files of a checkpoint ---- */

typedef struct checkpoint {
  l2o_tensor_file **files;
  char **names; /* of the files, without folders where there is an index */
  size_t count;
  char folder[PATH_ROOM];
  cJSON *index; /* NULL: one file */
  const cJSON *map;
} checkpoint;

static void close_checkpoint(checkpoint *c) {
  for (size_t i = 0; i < c->count; i++) {
    l2o_tensor_file_free(c->files[i]);
    free(c->names[i]);
  }
  free(c->files);
  free(c->names);
  cJSON_Delete(c->index);
}

static size_t file_named(const checkpoint *c, const char *name) {
  size_t i = 0;
  while (i < c->count && strcmp(c->names[i], name) != 0)
    i++;
  return i;
}

/* One more file of the checkpoint. */
static l2o_status open_file(checkpoint *c, const char *name, const char *path, l2o_diag *diag) {
  l2o_tensor_file **files = realloc(c->files, (c->count + 1) * sizeof *files);
  c->files = files ? files : c->files;
  char **names = realloc(c->names, (c->count + 1) * sizeof *names);
  c->names = names ? names : c->names;
  const size_t length = strlen(name) + 1;
  char *copy = malloc(length);
  l2o_status status = files && names && copy ? L2O_OK : l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  if (!status)
    status = l2o_tensor_file_open_header(&c->files[c->count], path, diag);
  if (status) {
    free(copy);
    return status;
  }
  memcpy(copy, name, length);
  c->names[c->count++] = copy;
  return L2O_OK;
}

static l2o_status path_in(char *out, const char *folder, const char *name, l2o_diag *diag) {
  if ((size_t)snprintf(out, PATH_ROOM, "%s/%s", folder, name) < PATH_ROOM)
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_IO, "%.200s...: the path is too long", folder);
}

/* The file of every tensor is one in the same folder. */
static l2o_status open_shards(checkpoint *c, const char *index, l2o_diag *diag) {
  char path[PATH_ROOM];
  l2o_status status = l2o_json_read(&c->index, index, INDEX_LIMIT, diag);
  if (status)
    return status;
  c->map = cJSON_GetObjectItemCaseSensitive(c->index, "weight_map");
  if (!cJSON_IsObject(c->map) || !c->map->child)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: no weight_map, expected an object of tensors' names and files", index);
  for (const cJSON *item = c->map->child; item && !status; item = item->next) {
    const char *name = cJSON_GetStringValue(item);
    if (!name || !*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
      return l2o_fail(diag, L2O_ERR_FORMAT, "%s: tensor '%.80s' is said to be in '%.80s', expected the name of a file beside it",
                      index, item->string, name ? name : "(no text)");
    if (file_named(c, name) < c->count)
      continue;
    status = path_in(path, c->folder, name, diag);
    if (!status)
      status = open_file(c, name, path, diag);
  }
  return status;
}

static l2o_status open_checkpoint(checkpoint *c, const char *path, l2o_diag *diag) {
  struct stat about;
  char inside[PATH_ROOM];
  if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
    return open_file(c, path, path, diag);
  l2o_status status = path_in(c->folder, path, "", diag);
  if (!status)
    status = path_in(inside, path, whole_file, diag);
  if (!status && access(inside, F_OK) == 0)
    return open_file(c, whole_file, inside, diag);
  if (!status)
    status = path_in(inside, path, index_file, diag);
  if (!status && access(inside, F_OK) != 0)
    status = l2o_fail(diag, L2O_ERR_IO, "%.200s: has neither %s nor %s", path, whole_file, index_file);
  return status ? status : open_shards(c, inside, diag);
}

/* ---- reading ---- */

static size_t place_in(const l2o_tensor_file *file, const char *name) {
  size_t i = 0;
  while (i < l2o_tensor_file_count(file) && strcmp(l2o_tensor_file_at(file, i)->name, name) != 0)
    i++;
  return i;
}

/* *file and *place of a tensor; L2O_ERR_FORMAT where it is missing. */
static l2o_status find(const checkpoint *c, size_t *file, size_t *place, const char *name, l2o_diag *diag) {
  *file = *place = 0;
  if (c->index) {
    const char *shard = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c->map, name));
    if (!shard)
      return l2o_fail(diag, L2O_ERR_FORMAT, "%.200s%s: tensor '%.80s' is missing", c->folder, index_file, name);
    *file = file_named(c, shard);
  }
  *place = place_in(c->files[*file], name);
  if (*place < l2o_tensor_file_count(c->files[*file]))
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_FORMAT, "%.200s: tensor '%.80s' is missing", c->names[*file], name);
}

static void write_shape(char *out, size_t room, const size_t *shape, size_t rank) {
  size_t used = (size_t)snprintf(out, room, "[");
  for (size_t i = 0; i < rank && used < room; i++)
    used += (size_t)snprintf(out + used, room - used, "%s%zu", i ? ", " : "", shape[i]);
  if (used < room)
    snprintf(out + used, room - used, "]");
}

static l2o_status check_tensor(const l2o_tensor *t, const l2o_block *b, const char *file, l2o_diag *diag) {
  const size_t expected[2] = {b->rank == 2 ? b->rows : b->columns, b->columns};
  char given[100], wanted[60];
  if (t->dtype == L2O_I64)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%.200s: tensor '%.80s' has whole numbers, I64, expected weights", file, t->name);
  if (t->rank == b->rank && memcmp(t->shape, expected, b->rank * sizeof *expected) == 0)
    return L2O_OK;
  write_shape(given, sizeof given, t->shape, t->rank);
  write_shape(wanted, sizeof wanted, expected, b->rank);
  return l2o_fail(diag, L2O_ERR_SHAPE, "%.120s: tensor '%.80s' has shape %s, expected %s", file, t->name, given, wanted);
}

/* x = the numbers of the tensor, which all have to be finite in this precision. */
static l2o_status read_tensor(l2o_real *x, const checkpoint *c, size_t file, size_t place, l2o_diag *diag) {
  const l2o_tensor *t = l2o_tensor_file_at(c->files[file], place);
  double piece[PIECE];
  for (size_t first = 0; first < t->count; first += PIECE) {
    const size_t count = t->count - first < PIECE ? t->count - first : PIECE;
    l2o_status status = l2o_tensor_file_read(c->files[file], piece, place, first, count, diag);
    if (status)
      return status;
    for (size_t i = 0; i < count; i++)
      x[first + i] = (l2o_real)piece[i];
    for (size_t i = 0; !l2o_all_finite(x + first, count) && i < count; i++)
      if (!l2o_all_finite(&x[first + i], 1))
        return l2o_fail(diag, L2O_ERR_FORMAT,
                        "%.200s: tensor '%.80s': element %zu is %g, expected a finite number in this precision", c->names[file],
                        t->name, first + i, piece[i]);
  }
  return L2O_OK;
}

/* Is what the file has for a tied head the table that x has? */
static l2o_status check_tied(const l2o_real *x, const l2o_block *b, const checkpoint *c, size_t file, size_t place,
                             l2o_diag *diag) {
  const l2o_tensor *t = l2o_tensor_file_at(c->files[file], place);
  double piece[PIECE];
  l2o_status status = check_tensor(t, b, c->names[file], diag);
  for (size_t first = 0; first < t->count && !status; first += PIECE) {
    const size_t count = t->count - first < PIECE ? t->count - first : PIECE;
    status = l2o_tensor_file_read(c->files[file], piece, place, first, count, diag);
    for (size_t i = 0; i < count && !status; i++)
      if ((l2o_real)piece[i] != x[b->offset + first + i])
        status = l2o_fail(diag, L2O_ERR_FORMAT, "%.200s: tensor '%s' is not %s, which this network has in its place",
                          c->names[file], tied_head, table);
  }
  return status;
}

/* No tensor may be left over, and each may stand in the file alone that the index names. */
static l2o_status check_left_over(const l2o_real *x, const parts *o, const checkpoint *c, l2o_diag *diag) {
  l2o_status status = L2O_OK;
  for (size_t f = 0; f < c->count; f++)
    for (size_t i = 0; i < l2o_tensor_file_count(c->files[f]) && !status; i++) {
      const char *name = l2o_tensor_file_at(c->files[f], i)->name;
      const char *shard = c->index ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c->map, name)) : NULL;
      if (c->index && (!shard || strcmp(shard, c->names[f]) != 0))
        return l2o_fail(diag, L2O_ERR_FORMAT, "%.200s: tensor '%.80s' is here, but the index says %.80s", c->names[f], name,
                        shard ? shard : "nothing of it");
      if (part_named(o, name))
        continue;
      const l2o_block *tied = strcmp(name, tied_head) == 0 ? part_named(o, table) : NULL;
      status = tied ? check_tied(x, tied, c, f, i, diag)
                    : l2o_fail(diag, L2O_ERR_FORMAT, "%.200s: tensor '%.80s' is unknown to this problem", c->names[f], name);
    }
  return status;
}

static l2o_status read_parts(l2o_real *x, const parts *o, const checkpoint *c, l2o_diag *diag) {
  l2o_status status = L2O_OK;
  for (int reads = 0; reads < 2; reads++) /* all shapes, before gigabytes are read */
    for (size_t i = 0; i < o->count && !status; i++) {
      const l2o_block *b = &o->blocks[i];
      size_t file, place;
      status = find(c, &file, &place, b->name, diag);
      if (!status)
        status = reads ? read_tensor(x + b->offset, c, file, place, diag)
                       : check_tensor(l2o_tensor_file_at(c->files[file], place), b, c->names[file], diag);
    }
  return status ? status : check_left_over(x, o, c, diag);
}

l2o_status l2o_weights_read(const l2o_problem *p, l2o_real **x, const char *path, l2o_diag *diag) {
  parts o;
  checkpoint c = {0};
  find_parts(&o, p);
  *x = NULL;
  l2o_status status = open_checkpoint(&c, path, diag);
  if (!status) {
    *x = p->n <= PTRDIFF_MAX / sizeof **x ? malloc(p->n * sizeof **x) : NULL;
    status = *x ? read_parts(*x, &o, &c, diag) : l2o_fail(diag, L2O_ERR_NOMEM, "%.200s: out of memory for %zu weights", path, p->n);
  }
  if (status) {
    free(*x);
    *x = NULL;
  }
  close_checkpoint(&c);
  return status;
}

l2o_status l2o_weights_load(const l2o_problem *p, l2o_real *x, const char *path, l2o_diag *diag) {
  l2o_real *read;
  l2o_status status = l2o_weights_read(p, &read, path, diag);
  if (!status)
    memcpy(x, read, p->n * sizeof *x);
  free(read);
  return status;
}
