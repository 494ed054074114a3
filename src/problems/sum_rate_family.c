/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawn channels, and channels from a file. Stream 0 of (seed, index) gives the channel, 1 a random start, 2 random weights; with
 * sampler=mt19937 the twister of seed + index gives the channel and that of 1000 + seed + index the start. */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/channels.h"
#include "problems/families.h"
#include "problems/instance.h"
#include "problems/precoders.h"
#include "problems/sum_rate.h"
#include <l2o/tensor_file.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MATCHED, ZERO_FORCING, RANDOM };
enum { EQUAL, RANDOM_WEIGHTS };
enum {
  OPTION_CELLS,
  OPTION_USERS,
  OPTION_TX,
  OPTION_RX,
  OPTION_STREAMS,
  OPTION_SNR_DB,
  OPTION_CHANNEL,
  OPTION_WEIGHTS,
  OPTION_START,
  OPTION_SAMPLER,
  OPTION_REDUCED
};
static const l2o_option options[] = {
    {"cells", L2O_OPTION_INT, 3, 1, 1000, NULL, "base stations; but for rayleigh at most 7"},
    {"users", L2O_OPTION_INT, 2, 1, 1000, NULL, "users of each"},
    {"tx", L2O_OPTION_INT, 4, 1, 4096, NULL, "antennas of a base station"},
    {"rx", L2O_OPTION_INT, 2, 1, 256, NULL, "antennas of a user"},
    {"streams", L2O_OPTION_INT, 0, 0, 256, NULL, "streams of a user; 0: the smaller of tx and rx"},
    {"snr_db", L2O_OPTION_REAL, 10, -100, 200, NULL, "power over noise in dB, of rayleigh and imac; the others have their own"},
    {"channel", L2O_OPTION_CHOICE, L2O_CHANNEL_RAYLEIGH, 0, 0, "rayleigh|layout|deepfp|imac",
     "independent entries, or users about the sites of hexagonal cells with path loss and shadowing"},
    {"weights", L2O_OPTION_CHOICE, EQUAL, 0, 0, "equal|random", "weights of the users: equal, or uniform from 1/2 to 3/2"},
    {"start", L2O_OPTION_CHOICE, MATCHED, 0, 0, "mf|zf|random",
     "maximum ratio (matched filter), zero forcing in the cell, N(0, I)"},
    {"sampler", L2O_OPTION_CHOICE, L2O_SAMPLER_PHILOX, 0, 0, "philox|mt19937",
     "random numbers: our streams, or GSL's Mersenne Twister, seed + i for instance i"},
    {"reduced", L2O_OPTION_CHOICE, 0, 0, 0, "false|true",
     "where tx is more than all receive antennas together, the same problem in as many dimensions as these are"},
    {0},
};

typedef struct channel_family {
  l2o_family base; /* first: the family handle points here */
  l2o_sum_rate_sizes sizes;
  l2o_channel channel;
  double snr_db;
  int start;
  bool random_weights, reduced;
} channel_family;

/* Reals of H, and unknowns. */
static size_t channel_len(const l2o_sum_rate_sizes *s) {
  return 2 * s->cells * s->users * s->cells * s->rx * s->tx;
}
static size_t unknowns(const l2o_sum_rate_sizes *s) {
  return 2 * s->cells * s->users * s->tx * s->streams;
}

static l2o_status draw_start(l2o_real *V, double *scratch, const l2o_real *H, const channel_family *f, double power, uint64_t seed,
                             uint64_t index) {
  const size_t count = unknowns(&f->sizes);
  l2o_draws draws = {.replays = f->base.plain_seeds};
  if (f->start == ZERO_FORCING)
    return l2o_start_zero_forcing(V, H, power, &f->sizes);
  if (draws.replays)
    l2o_twister_seed_gsl(&draws.twister, (uint32_t)(1000 + seed + index));
  else
    l2o_rng_seed(&draws.rng, seed, 1, index);
  l2o_draws_complex(&draws, scratch, count / 2);
  for (size_t i = 0; i < count; i++)
    V[i] = (l2o_real)scratch[i];
  l2o_start_full_power(V, power, &f->sizes);
  return L2O_OK;
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const channel_family *f = (const channel_family *)family;
  const l2o_sum_rate_sizes *s = &f->sizes;
  const size_t length = channel_len(s), n = s->cells * s->users, count = unknowns(s);
  l2o_draws draws;
  l2o_status status = l2o_draws_begin(&draws, family, seed, index, diag);
  if (status)
    return status;
  double *scratch = malloc((length > count ? length : count) * sizeof *scratch), noise, power, weight;
  l2o_real *H = malloc((length + n + count) * sizeof *H), *weights = NULL, *V = NULL;
  status = scratch && H ? l2o_channel_draw(scratch, &draws, f->channel, s) : L2O_ERR_NOMEM;
  if (!status) {
    weights = H + length;
    V = weights + n;
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, 2, index);
    l2o_channel_setting(&noise, &power, &weight, f->channel, f->snr_db, s->users);
    for (size_t i = 0; i < length; i++)
      H[i] = (l2o_real)scratch[i];
    for (size_t u = 0; u < n; u++)
      weights[u] = (l2o_real)(f->random_weights ? weight * (0.5 + l2o_rng_uniform(&rng)) : weight);
    if (f->start != MATCHED)
      status = draw_start(V, scratch, H, f, power, seed, index);
  }
  if (!status)
    status = l2o_sum_rate_new(out, H, weights, f->start == MATCHED ? NULL : V, noise, power, s, diag);
  free(scratch);
  free(H);
  if (!status && f->reduced) {
    l2o_problem whole = *out;
    status = l2o_sum_rate_reduced(out, &whole, diag);
    l2o_problem_free(&whole);
  }
  return status;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  l2o_sum_rate_sizes s = {.cells = (size_t)values[OPTION_CELLS],
                          .users = (size_t)values[OPTION_USERS],
                          .tx = (size_t)values[OPTION_TX],
                          .rx = (size_t)values[OPTION_RX],
                          .streams = (size_t)values[OPTION_STREAMS]};
  const l2o_channel channel = (l2o_channel)values[OPTION_CHANNEL];
  const size_t most = s.tx < s.rx ? s.tx : s.rx, n = s.cells * s.users;
  if (s.streams == 0)
    s.streams = most;
  if (s.streams > most)
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate: streams = %zu: expected at most tx = %zu and rx = %zu, the antennas of a pair",
                    s.streams, s.tx, s.rx);
  if (channel != L2O_CHANNEL_RAYLEIGH && s.cells > L2O_SITES)
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate: cells = %zu: this channel has %d sites", s.cells, L2O_SITES);
  if (n > 100000 || !l2o_fits_blas(n * s.cells, 2 * s.rx * s.tx) || !l2o_fits_blas(n * s.streams, n * s.rx * 2))
    return l2o_fail(diag, L2O_ERR_SHAPE, "sum-rate: cells = %zu, users = %zu, tx = %zu, rx = %zu are too large", s.cells, s.users,
                    s.tx, s.rx);
  l2o_sum_rate_sizes small = s;
  small.tx = n * s.rx;
  const bool reduced = values[OPTION_REDUCED] > 0 && small.tx < s.tx;
  channel_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "sum-rate: out of memory");
  *f = (channel_family){.base = {.struct_size = sizeof f->base,
                                 .name = "sum-rate",
                                 .n = unknowns(reduced ? &small : &s),
                                 .sample = sample,
                                 .free = l2o_family_release,
                                 .plain_seeds = (int)values[OPTION_SAMPLER] == L2O_SAMPLER_MT19937},
                        .sizes = s,
                        .channel = channel,
                        .snr_db = values[OPTION_SNR_DB],
                        .start = (int)values[OPTION_START],
                        .random_weights = (int)values[OPTION_WEIGHTS] == RANDOM_WEIGHTS,
                        .reduced = reduced};
  *out = &f->base;
  return L2O_OK;
}

/* ---- files ---- */

/* `H` [B, n, cells, rx, tx, 2]; optional `weights` [B, n] or [n] (1), `noise` and `power` [B] or one for all (1), `streams` (the
 * smaller of rx and tx), `x0` [B, unknowns]. */
typedef struct file_family {
  l2o_family base; /* first: the family handle points here */
  l2o_sum_rate_sizes sizes;
  double *H, *weights, *noise, *power, *start; /* start: NULL where there is none */
  size_t all_weights, noises, powers;          /* entries */
} file_family;

static void free_file(l2o_family *family) {
  file_family *f = (file_family *)family;
  free(f->H);
  free(f->weights);
  free(f->noise);
  free(f->power);
  free(f->start);
  free(f);
}

static l2o_status sample_row(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const file_family *f = (const file_family *)family;
  const l2o_sum_rate_sizes *s = &f->sizes;
  const size_t length = channel_len(s), n = s->cells * s->users, count = unknowns(s), row = (size_t)(index % family->count);
  (void)seed;
  l2o_real *H = malloc((length + n + count) * sizeof *H);
  if (!H)
    return l2o_fail(diag, L2O_ERR_NOMEM, "sum-rate: out of memory");
  l2o_real *weights = H + length, *V = weights + n;
  for (size_t i = 0; i < length; i++)
    H[i] = (l2o_real)f->H[row * length + i];
  for (size_t u = 0; u < n; u++)
    weights[u] = (l2o_real)f->weights[(row * n + u) % f->all_weights];
  for (size_t i = 0; f->start && i < count; i++)
    V[i] = (l2o_real)f->start[row * count + i];
  l2o_status status =
      l2o_sum_rate_new(out, H, weights, f->start ? V : NULL, f->noise[row % f->noises], f->power[row % f->powers], s, diag);
  free(H);
  return status;
}

/* The numbers of a tensor, or one that is usual where there is none; entries: how many they may be beside `some`. */
static l2o_status read(double **out, size_t *entries, const l2o_tensor *t, double usual, size_t all, size_t some, const char *path,
                       l2o_diag *diag) {
  *entries = t ? t->count : 1;
  if (t && t->count != all && t->count != some)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' must have %zu or %zu entries, it has %zu", path, t->name, all, some, t->count);
  *out = malloc(*entries * sizeof **out);
  if (!*out)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  (*out)[0] = usual;
  if (t)
    l2o_tensor_to_double(t, *out);
  return L2O_OK;
}

static l2o_status check_positive(const double *values, size_t count, const char *name, const char *path, l2o_diag *diag) {
  for (size_t i = 0; i < count; i++)
    if (!(values[i] > 0) || !isfinite(values[i]))
      return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: entry %zu of '%s' is %g; expected a positive number", path, i, name, values[i]);
  return L2O_OK;
}

/* Sizes from the shape of H, which must be one. */
static l2o_status read_sizes(file_family *f, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  const l2o_tensor *H = l2o_tensor_file_find(file, "H"), *streams = l2o_tensor_file_find(file, "streams");
  l2o_sum_rate_sizes *s = &f->sizes;
  if (!H)
    return l2o_fail(diag, L2O_ERR_FORMAT,
                    "%s: there is no array 'H'; channels are 'H' [instances, users of all cells, cells, rx, tx, 2]", path);
  if (H->rank != 6 || H->count == 0 || H->shape[5] != 2)
    return l2o_fail(
        diag, L2O_ERR_SHAPE,
        "%s: 'H' must have shape [instances, users of all cells, cells, rx, tx, 2], none of them 0, the last of them real "
        "and imaginary part",
        path);
  if (H->shape[1] % H->shape[2] != 0)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: 'H' has %zu users in %zu cells; expected as many in each", path, H->shape[1],
                    H->shape[2]);
  *s = (l2o_sum_rate_sizes){.cells = H->shape[2], .users = H->shape[1] / H->shape[2], .rx = H->shape[3], .tx = H->shape[4]};
  s->streams = s->tx < s->rx ? s->tx : s->rx;
  if (streams) {
    double given = 0;
    if (streams->count == 1)
      l2o_tensor_to_double(streams, &given);
    if (!(given >= 1 && given <= (double)s->streams && given == floor(given)))
      return l2o_fail(diag, L2O_ERR_SHAPE, "%s: 'streams' must be a number from 1 to %zu, the smaller of rx and tx", path,
                      s->streams);
    s->streams = (size_t)given;
  }
  f->base.count = H->shape[0];
  f->base.n = unknowns(s);
  return L2O_OK;
}

static l2o_status read_file(file_family *f, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  l2o_status status = read_sizes(f, file, path, diag);
  if (status)
    return status;
  const l2o_tensor *H = l2o_tensor_file_find(file, "H"), *x0 = l2o_tensor_file_find(file, "x0");
  const size_t count = f->base.count, n = f->sizes.cells * f->sizes.users;
  size_t entries;
  status = read(&f->H, &entries, H, 0, H->count, H->count, path, diag);
  if (!status && !l2o_all_finite_double(f->H, entries))
    status = l2o_fail(diag, L2O_ERR_NUMERIC, "%s: 'H' holds a value that is not finite", path);
  if (!status)
    status = read(&f->weights, &f->all_weights, l2o_tensor_file_find(file, "weights"), 1, count * n, n, path, diag);
  if (!status)
    status = read(&f->noise, &f->noises, l2o_tensor_file_find(file, "noise"), 1, count, 1, path, diag);
  if (!status)
    status = read(&f->power, &f->powers, l2o_tensor_file_find(file, "power"), 1, count, 1, path, diag);
  if (!status && x0)
    status = read(&f->start, &entries, x0, 0, count * f->base.n, count * f->base.n, path, diag);
  if (!status && f->start && !l2o_all_finite_double(f->start, entries))
    status = l2o_fail(diag, L2O_ERR_NUMERIC, "%s: 'x0' holds a value that is not finite", path);
  if (!status)
    status = check_positive(f->weights, f->all_weights, "weights", path, diag);
  if (!status)
    status = check_positive(f->noise, f->noises, "noise", path, diag);
  return status ? status : check_positive(f->power, f->powers, "power", path, diag);
}

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  l2o_tensor_file *file;
  l2o_status status = l2o_tensor_file_open(&file, path, diag);
  if (status)
    return status;
  file_family *f = malloc(sizeof *f);
  if (!f) {
    l2o_tensor_file_free(file);
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  }
  *f = (file_family){.base = {.struct_size = sizeof f->base, .name = "sum-rate", .sample = sample_row, .free = free_file}};
  status = read_file(f, file, path, diag);
  l2o_tensor_file_free(file);
  if (status) {
    free_file(&f->base);
    return status;
  }
  *out = &f->base;
  return L2O_OK;
}

/* H of an instance in the order of the file. */
static void channel_of(double *H, const l2o_sum_rate *d) {
  const l2o_sum_rate_sizes *s = &d->sizes;
  for (size_t u = 0; u < d->n; u++)
    for (size_t j = 0; j < s->cells; j++)
      for (size_t r = 0; r < s->rx; r++)
        for (size_t t = 0; t < s->tx; t++)
          for (size_t part = 0; part < 2; part++)
            *H++ = (double)d->H[(2 * ((j * s->tx + t) * s->rx + r) + part) * d->lanes + u];
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  const l2o_sum_rate *first = l2o_sum_rate_of(&instances[0]);
  const l2o_sum_rate_sizes *s = &first->sizes;
  const size_t length = channel_len(s), n = first->n, starts = instances[0].n;
  const l2o_dtype reals = sizeof(l2o_real) == sizeof(float) ? L2O_F32 : L2O_F64;
  size_t total;
  if (__builtin_mul_overflow(count, length + n + 2 + starts, &total) || total > SIZE_MAX / sizeof(double))
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  double *H = malloc(total * sizeof *H);
  if (!H)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  double *weights = H + count * length, *noise = weights + count * n, *power = noise + count, *start = power + count;
  l2o_tensor_writer *writer = NULL;
  l2o_status status = l2o_tensor_writer_new(&writer);
  for (size_t i = 0; i < count && !status; i++) {
    const l2o_sum_rate *d = l2o_sum_rate_of(&instances[i]);
    if (memcmp(&d->sizes, s, sizeof *s) != 0) {
      status = l2o_fail(diag, L2O_ERR_SHAPE, "%s: instance %zu has other sizes than instance 0", path, i);
      break;
    }
    channel_of(H + i * length, d);
    for (size_t u = 0; u < n; u++)
      weights[i * n + u] = (double)d->a[u];
    noise[i] = d->noise;
    power[i] = d->power;
    for (size_t k = 0; k < starts; k++)
      start[i * starts + k] = (double)d->start[k];
  }
  const double streams = (double)s->streams;
  const size_t shape[] = {count, n, s->cells, s->rx, s->tx, 2}, weight_shape[] = {count, n}, start_shape[] = {count, starts};
  if (!status)
    status = l2o_tensor_writer_add(writer, "H", reals, H, shape, 6);
  if (!status)
    status = l2o_tensor_writer_add(writer, "weights", reals, weights, weight_shape, 2);
  if (!status)
    status = l2o_tensor_writer_add(writer, "noise", L2O_F64, noise, &count, 1);
  if (!status)
    status = l2o_tensor_writer_add(writer, "power", L2O_F64, power, &count, 1);
  if (!status)
    status = l2o_tensor_writer_add(writer, "streams", L2O_I64, &streams, NULL, 0);
  if (!status)
    status = l2o_tensor_writer_add(writer, "x0", reals, start, start_shape, 2);
  if (!status)
    status = l2o_tensor_writer_save(writer, path, diag);
  l2o_tensor_writer_free(writer);
  free(H);
  return status;
}

const l2o_family_type l2o_family_type_sum_rate = {
    .name = "sum-rate",
    .meaning = "weighted sum of rates in cells with many antennas, negated, over precoders within power budgets: not convex",
    .options = options,
    .gap = "absolute",
    .create = create,
    .open = open_file,
    .save = save,
    .maximised = "rate",
    .unit = "bit/s/Hz",
};
