/* SPDX-License-Identifier: BSD-3-Clause */
#include "ranks.h"
#include "core/diag.h"
#include "interrupt.h"
#include <stdlib.h>
#include <string.h>

static size_t count = 1, rank; /* of this process, from start to end */
static bool joined, stop_wanted, stop_agreed;

size_t ranks_count(void) {
  return count;
}
size_t ranks_rank(void) {
  return rank;
}
bool ranks_first(void) {
  return rank == 0;
}
void ranks_stop(void) {
  stop_wanted = true;
}
bool ranks_stopping(void) {
  return count > 1 ? stop_agreed : stop_wanted || interrupt_requested();
}

/* ---- the launcher ---- */

/* What the environment says: mpirun of Open MPI, of MPICH and its relatives, srun. */
typedef struct launch {
  bool is;            /* was there a launcher? */
  size_t count, rank; /* count 0: it does not say */
} launch;

static bool read_number(size_t *out, const char *variable) {
  const char *text = getenv(variable);
  if (text)
    *out = strtoul(text, NULL, 10);
  return text != NULL;
}

static launch find_launch(void) {
  launch l = {0};
  if (read_number(&l.count, "OMPI_COMM_WORLD_SIZE"))
    l.is = read_number(&l.rank, "OMPI_COMM_WORLD_RANK");
  else if (read_number(&l.count, "PMI_SIZE"))
    l.is = read_number(&l.rank, "PMI_RANK");
  else if ((l.is = read_number(&l.rank, "PMIX_RANK")))
    read_number(&l.count, "SLURM_STEP_NUM_TASKS");
  return l;
}

/* ---- what needs MPI; a single process never comes to these ---- */

#ifdef L2O_WITH_MPI
#include <mpi.h>

static bool join(void) {
  int provided, n, r;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided); /* failures of MPI end all ranks, with MPI's own message */
  MPI_Comm_size(MPI_COMM_WORLD, &n);
  MPI_Comm_rank(MPI_COMM_WORLD, &r);
  count = (size_t)n;
  rank = (size_t)r;
  return true;
}

static void leave(void) {
  MPI_Finalize();
}

static void add(double *values, int n) {
  MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static void smallest(unsigned long long *values, int n) {
  MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_UNSIGNED_LONG_LONG, MPI_MIN, MPI_COMM_WORLD);
}

static void broadcast(void *bytes, size_t size, size_t from) {
  MPI_Bcast(bytes, (int)size, MPI_BYTE, (int)from, MPI_COMM_WORLD);
}

/* Moves any number of bytes to rank 0. */
static void carry(unsigned char *to, const unsigned char *from, size_t size, size_t sender) {
  const size_t most = (size_t)1 << 30; /* MPI counts with int */
  for (size_t at = 0; at < size; at += most) {
    const int length = (int)(size - at < most ? size - at : most);
    if (rank == 0)
      MPI_Recv(to + at, length, MPI_BYTE, (int)sender, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else
      MPI_Send(from + at, length, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
  }
}

#else
static bool join(void) {
  return false;
}
static void leave(void) {}
static void add(double *values, int n) {
  (void)values, (void)n;
}
static void smallest(unsigned long long *values, int n) {
  (void)values, (void)n;
}
static void broadcast(void *bytes, size_t size, size_t from) {
  (void)bytes, (void)size, (void)from;
}
static void carry(unsigned char *to, const unsigned char *from, size_t size, size_t sender) {
  (void)to, (void)from, (void)size, (void)sender;
}
#endif

/* ---- what is made of it ---- */

bool ranks_start(const char *command) {
  const launch l = find_launch();
  joined = l.is && join();
  if (l.count < 2 || count > 1)
    return true;
  if (l.rank == 0) /* so many single processes would all write the same files */
    fprintf(
        stderr,
        joined
            ? "%s: started as one of %zu processes by the launcher of another MPI than the one it was built with\n"
            : "%s: started as one of %zu processes, but built without MPI: build it with libopenmpi-dev installed, or start one\n",
        command, l.count);
  if (joined)
    leave();
  return false;
}

int ranks_end(int exit_code) {
  if (count > 1)
    broadcast(&exit_code, sizeof exit_code, 0);
  if (joined)
    leave();
  return exit_code;
}

size_t ranks_hear(char *text, size_t size) {
  unsigned long long speaker = text[0] ? rank : count;
  if (count < 2)
    return (size_t)speaker;
  smallest(&speaker, 1);
  if (speaker < count)
    broadcast(text, size, (size_t)speaker);
  return (size_t)speaker;
}

l2o_status ranks_agree(l2o_status status, l2o_diag *diag) {
  if (count < 2)
    return status;
  l2o_diag heard = {""};
  if (status)
    snprintf(heard.text, sizeof heard.text, "%s", diag->text[0] ? diag->text : l2o_strerror(status));
  const size_t speaker = ranks_hear(heard.text, sizeof heard.text);
  if (speaker == count)
    return L2O_OK;
  int code = status;
  broadcast(&code, sizeof code, speaker);
  if (speaker)
    return l2o_fail(diag, (l2o_status)code, "rank %zu: %.370s", speaker, heard.text);
  *diag = heard;
  return (l2o_status)code;
}

bool ranks_any(bool yes) {
  unsigned long long none = !yes;
  if (count > 1)
    smallest(&none, 1);
  return none == 0;
}

size_t ranks_common(size_t number, bool has) {
  unsigned long long ends[2] = {has ? number : ~0ull, has ? ~0ull - number : ~0ull}; /* the least, and the greatest from above */
  if (count < 2)
    return number;
  smallest(ends, 2);
  return ends[0] == ~0ull - ends[1] ? (size_t)ends[0] : 0;
}

/* Without allocation: a rank short of memory could not tell the others that it will not come. */
l2o_status ranks_sum(void *context, double *values, size_t length) {
  enum { PIECE = 16384 };
  static double buffer[PIECE + 1];
  (void)context;
  for (size_t at = 0; at < length; at += PIECE) {
    const size_t n = length - at < PIECE ? length - at : PIECE;
    memcpy(buffer, values + at, n * sizeof *buffer);
    buffer[n] = stop_wanted || interrupt_requested();
    add(buffer, (int)n + 1);
    memcpy(values + at, buffer, n * sizeof *buffer);
    stop_agreed = stop_agreed || buffer[n] > 0;
  }
  return L2O_OK;
}

static size_t share_begin(size_t total, size_t r) {
  return total / count * r + total % count * r / count;
}

size_t ranks_share(size_t total, size_t *first) {
  *first = share_begin(total, rank);
  return share_begin(total, rank + 1) - *first;
}

void ranks_gather(void *all, const void *mine, size_t total, size_t size) {
  size_t first;
  const size_t own = ranks_share(total, &first) * size;
  if (rank > 0)
    carry(NULL, mine, own, rank);
  else if (own)
    memcpy(all, mine, own);
  for (size_t r = 1; rank == 0 && r < count; r++) {
    first = share_begin(total, r);
    carry((unsigned char *)all + first * size, NULL, (share_begin(total, r + 1) - first) * size, r);
  }
}

/* ---- command line and configuration ---- */

/* FNV-1a, of texts that are to be the same everywhere. */
static uint64_t fingerprint(uint64_t hash, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
  return hash;
}

static const uint64_t FNV_BASIS = 0xcbf29ce484222325u;

/* A sentence in `error` unless the value is that of rank 0. */
static void compare(uint64_t mine, const char *command, const char *what, char *error, size_t size) {
  uint64_t first = mine;
  broadcast(&first, sizeof first, 0);
  if (first != mine)
    snprintf(error, size, "%s: rank %zu has another %s than rank 0\n", command, rank, what);
}

/* Would all ranks do the same, with the same bits? */
static void compare_programs(int argc, char **argv, const char *command, char *error, size_t size) {
  char program[100];
  uint64_t words = FNV_BASIS;
  for (int i = 1; i < argc; i++)
    words = fingerprint(words, argv[i], strlen(argv[i]) + 1);
  snprintf(program, sizeof program, "version (here %.20s) or instruction set (here %.20s)", l2o_version(),
           l2o_vector_instructions());
  compare(words, command, "command line", error, size);
  compare(fingerprint(FNV_BASIS, program, strlen(program)), command, program, error, size);
}

static void compare_configs(const config *c, const char *command, char *error, size_t size) {
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  if (stream) {
    config_write(c, stream);
    fclose(stream);
  }
  compare(text ? fingerprint(FNV_BASIS, text, length) : 0, command, "configuration", error, size);
  free(text);
}

static void load(cli_args *a, config **c, cli_command which, int argc, char **argv, const l2o_solver *const *more, FILE *out,
                 FILE *err, int *exit_code) {
  if (!args_parse(a, which, argc, argv, more, out, err, exit_code))
    return;
  *c = args_load(a, err);
  *exit_code = *c ? EXIT_DONE : EXIT_WRONG_USE;
}

bool ranks_load(cli_args *a, config **c, cli_command which, int argc, char **argv, const l2o_solver *const *more, int *exit_code) {
  const char *command = command_name(which);
  char error[1200] = "";
  *a = (cli_args){.command = which};
  *c = NULL;
  if (count < 2) {
    load(a, c, which, argc, argv, more, stdout, stderr, exit_code);
    return *c != NULL;
  }
  compare_programs(argc, argv, command, error, sizeof error);
  bool fine = ranks_hear(error, sizeof error) == count;
  if (fine) {
    FILE *out = rank ? fopen("/dev/null", "w") : stdout, *err = fmemopen(error, sizeof error, "w");
    if (out && err)
      load(a, c, which, argc, argv, more, out, err, exit_code);
    if (err)
      fclose(err);
    if (rank && out)
      fclose(out);
    if (!out || !err)
      snprintf(error, sizeof error, "%s: cannot open /dev/null\n", command);
    fine = ranks_hear(error, sizeof error) == count;
  }
  if (fine && *c) { /* otherwise a help text was asked for, of all */
    compare_configs(*c, command, error, sizeof error);
    fine = ranks_hear(error, sizeof error) == count;
  }
  if (fine)
    return *c != NULL;
  if (rank == 0)
    fputs(error, stderr);
  *exit_code = EXIT_WRONG_USE;
  config_free(*c);
  *c = NULL;
  return false;
}
