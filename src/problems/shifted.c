/* SPDX-License-Identifier: BSD-3-Clause */
/* Instances out of distribution (Song, Lin, Wang, Xu, CVPR 2024): the same problems from x_0 + s, and F'(x) = F(x + t) in place of
 * F, whose minimisers are x* - t and whose minimum is the same. With u = x + t every operation is the inner problem's at u. Or the
 * same problems from weights of a file. */
#include "core/diag.h"
#include "problems/families.h"
#include "problems/instance.h"
#include "problems/soft_threshold.h"
#include "problems/weights.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct shifted {
  l2o_problem inner;
  const l2o_real *from;     /* (n) x_0 where it is not the inner problem's, else NULL */
  l2o_real start, function; /* s, t */
  double l1;                /* h = l1 |x|_1 where t is not 0 and h is not 0 */
  size_t inner_len;         /* reals of scratch that are the inner problem's; u stands behind them */
  bool published_prox;
  l2o_problem_ops own; /* of an instance that has other operations than the family's first */
} shifted;

typedef struct shifted_family {
  l2o_family base; /* first: the family handle points here */
  l2o_family *inner;
  const l2o_problem_ops *wrapped; /* what the inner family's first instance has, and what that makes */
  l2o_problem_ops ops;
  double start, function;
  bool published_prox;
  l2o_real *from; /* (base.n) of l2o_family_started(), else NULL */
  char note[240];
} shifted_family;

static const shifted *of(const l2o_problem *p) {
  return p->data;
}

/* u = x + t; x itself where t = 0 */
static const l2o_real *moved(const l2o_problem *p, const l2o_real *x, l2o_real *work) {
  const shifted *d = of(p);
  if (d->function == 0)
    return x;
  l2o_real *u = work + d->inner_len;
  for (size_t i = 0; i < p->n; i++)
    u[i] = x[i] + d->function;
  return u;
}

/* x -= t */
static void move_back(const l2o_problem *p, l2o_real *x) {
  const l2o_real t = of(p)->function;
  for (size_t i = 0; t != 0 && i < p->n; i++)
    x[i] -= t;
}

/* ---- the smooth part ---- */

static size_t work_len(const l2o_problem *p) {
  return of(p)->inner_len + (of(p)->function != 0 ? p->n : 0);
}
static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  return l2o_problem_value(&of(p)->inner, f, moved(p, x, work), work);
}
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  return l2o_problem_gradient(&of(p)->inner, f, g, moved(p, x, work), work);
}
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  return l2o_problem_hessian_vector(&of(p)->inner, hv, moved(p, x, work), v, work);
}
static l2o_status lipschitz(const l2o_problem *p, double *constant) {
  return l2o_problem_lipschitz(&of(p)->inner, constant);
}
static l2o_status hessian_trace(const l2o_problem *p, double *trace) {
  return l2o_problem_hessian_trace(&of(p)->inner, trace);
}
static size_t summands(const l2o_problem *p) {
  return l2o_problem_summands(&of(p)->inner);
}
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  return l2o_problem_partial(&of(p)->inner, f, g, moved(p, x, work), rows, count, work);
}
static l2o_status hessian(const l2o_problem *p, l2o_real *packed) {
  return l2o_problem_hessian(&of(p)->inner, packed);
}
static size_t hessian_reads(const l2o_problem *p) {
  return l2o_problem_hessian_reads(&of(p)->inner);
}

/* Instances of different shifts never have the same operations: what is the same here is the same for the inner problems. */
static bool together(const l2o_problem *a, const l2o_problem *b) {
  return l2o_problem_together(&of(a)->inner, &of(b)->inner);
}

/* The inner problems are handed on so many at a time: which go together does not change the bits. */
enum { PIECE = 32 };

static size_t piece_of(const l2o_problem *const *p, size_t count, const l2o_problem **inner, const l2o_real *const *x,
                       const l2o_real **u, l2o_real *const *work) {
  const size_t size = count < PIECE ? count : PIECE;
  for (size_t i = 0; i < size; i++) {
    inner[i] = &of(p[i])->inner;
    u[i] = moved(p[i], x[i], work[i]);
  }
  return size;
}

static l2o_status gradient_many(const l2o_problem *const *p, size_t count, double *f, l2o_real *const *g, const l2o_real *const *x,
                                l2o_real *const *work) {
  const l2o_problem *inner[PIECE];
  const l2o_real *u[PIECE];
  l2o_status status = L2O_OK;
  for (size_t at = 0, size; at < count && !status; at += size) {
    size = piece_of(p + at, count - at, inner, x + at, u, work + at);
    status = l2o_problem_gradient_many(inner, size, f + at, g + at, u, work + at);
  }
  return status;
}

static l2o_status hessian_vector_many(const l2o_problem *const *p, size_t count, l2o_real *const *hv, const l2o_real *const *x,
                                      const l2o_real *const *v, l2o_real *const *work) {
  const l2o_problem *inner[PIECE];
  const l2o_real *u[PIECE];
  l2o_status status = L2O_OK;
  for (size_t at = 0, size; at < count && !status; at += size) {
    size = piece_of(p + at, count - at, inner, x + at, u, work + at);
    status = l2o_problem_hessian_vector_many(inner, size, hv + at, u, v + at, work + at);
  }
  return status;
}

/* ---- the rest of F ---- */

/* h(x + t) = l1 |x + t|_1 and its subdifferential by blocks, these operations having no scratch. */
enum { BLOCK = 64 };

static size_t moved_block(const l2o_problem *p, l2o_real *u, const l2o_real *x, size_t first) {
  const size_t size = p->n - first < BLOCK ? p->n - first : BLOCK;
  for (size_t i = 0; i < size; i++)
    u[i] = x[first + i] + of(p)->function;
  return size;
}

static l2o_status nonsmooth(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  const shifted *d = of(p);
  l2o_real u[BLOCK];
  if (d->function == 0)
    return l2o_problem_nonsmooth(&d->inner, h, s, x);
  *h = 0;
  for (size_t first = 0; first < p->n; first += BLOCK) {
    const size_t size = moved_block(p, u, x, first);
    *h += l2o_l1_norm(s ? s + first : NULL, u, d->l1, size);
  }
  return L2O_OK;
}

static l2o_status subdifferential(const l2o_problem *p, l2o_real *low, l2o_real *high, const l2o_real *x) {
  const shifted *d = of(p);
  l2o_real u[BLOCK];
  if (d->function == 0)
    return l2o_problem_subdifferential(&d->inner, low, high, x);
  for (size_t first = 0; first < p->n; first += BLOCK) {
    const size_t size = moved_block(p, u, x, first);
    l2o_l1_subdifferential(low + first, high + first, u, d->l1, size);
  }
  return L2O_OK;
}

/* Where the prox is taken: u = x + t. The published code has sign(x) in place of sign(x + t), out + t = sign(x) max(sign(x) (x +
 * t) - l1 tau, 0): the prox of u where the signs agree, and 0, its own prox, where they do not. */
static const l2o_real *prox_point(const l2o_problem *p, const l2o_real *x, l2o_real *work) {
  const shifted *d = of(p);
  const l2o_real *u = moved(p, x, work);
  if (!d->published_prox || d->function == 0)
    return u;
  l2o_real *agreed = work + d->inner_len;
  for (size_t i = 0; i < p->n; i++)
    if ((x[i] <= 0 && u[i] > 0) || (x[i] >= 0 && u[i] < 0))
      agreed[i] = 0;
  return agreed;
}

/* argmin_z h(z + t) + |z - x|^2 / 2 tau = prox(x + t) - t */
static l2o_status prox(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work) {
  l2o_status status = l2o_problem_prox(&of(p)->inner, out, prox_point(p, x, work), tau, work);
  move_back(p, out);
  return status;
}
static l2o_status prox_vjp(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                           const l2o_real *dout, l2o_real *work) {
  return l2o_problem_prox_vjp(&of(p)->inner, dx, dtau, prox_point(p, x, work), tau, dout, work);
}
static l2o_status project(const l2o_problem *p, l2o_real *out, const l2o_real *x, l2o_real *work) {
  l2o_status status = l2o_problem_project(&of(p)->inner, out, moved(p, x, work), work);
  move_back(p, out);
  return status;
}

static l2o_status project_vjp(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout, l2o_real *work) {
  return l2o_problem_project_vjp(&of(p)->inner, dx, moved(p, x, work), dout, work);
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  l2o_status status = l2o_problem_minimum(&of(p)->inner, fstar, xstar);
  if (!status && xstar)
    move_back(p, xstar);
  return status;
}

/* x_0 + s, whatever t is */
static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  const l2o_real s = of(p)->start;
  if (of(p)->from) {
    memcpy(x0, of(p)->from, p->n * sizeof *x0);
    return L2O_OK;
  }
  l2o_status status = l2o_problem_start(&of(p)->inner, x0);
  for (size_t i = 0; s != 0 && i < p->n && !status; i++)
    x0[i] += s;
  return status;
}

/* Where t is not 0 the parts of x are not those of the inner problem's, and nobody sees layers. */
static const l2o_block *blocks(const l2o_problem *p, size_t *count) {
  return of(p)->function == 0 ? l2o_problem_blocks(&of(p)->inner, count) : NULL;
}
static l2o_status forward(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count,
                          const l2o_pass *pass, l2o_real *work) {
  return of(p)->function == 0 ? l2o_problem_forward(&of(p)->inner, f, x, rows, count, pass, work) : L2O_ERR_NOTSUP;
}
static size_t forward_work_len(const l2o_problem *p, size_t count) {
  return l2o_problem_forward_work_len(&of(p)->inner, count);
}

/* with the room for u behind what the inner problem needs, as everywhere */
static size_t value_work_len(const l2o_problem *p) {
  return of(p)->function != 0 ? work_len(p) : l2o_problem_value_work_len(&of(p)->inner);
}

static l2o_status states(const l2o_problem *p, l2o_states *out) {
  return l2o_problem_states(&of(p)->inner, out);
}

static void release(l2o_problem *p) {
  shifted *d = (shifted *)(uintptr_t)p->data;
  l2o_problem_free(&d->inner);
  free(d);
}

/* ---- making them ---- */

double l2o_function_shift(const l2o_problem *p) {
  return p->ops && p->ops->value == value ? (double)of(p)->function : 0;
}

const l2o_problem *l2o_unshifted(const l2o_problem *p) {
  return p->ops && p->ops->value == value && of(p)->function == 0 ? &of(p)->inner : p;
}

/* What a problem with the operations `inner` has when it is shifted: what it had. */
static void wrap(l2o_problem_ops *ops, const l2o_problem_ops *inner) {
  _Static_assert(sizeof *ops == 29 * sizeof(void *), "an operation that is new must be shifted here, too");
#define WRAP(op)                                                                                                                   \
  if (offsetof(l2o_problem_ops, op) + sizeof inner->op <= inner->struct_size && inner->op)                                         \
  ops->op = op
  *ops = (l2o_problem_ops){.struct_size = sizeof *ops, .name = inner->name, .work_len = work_len, .start = start, .free = release};
  ops->value = value; /* from the gradient where need be */
  WRAP(gradient);
  WRAP(hessian_vector);
  WRAP(lipschitz);
  WRAP(minimum);
  WRAP(nonsmooth);
  WRAP(subdifferential);
  WRAP(prox);
  WRAP(prox_vjp);
  WRAP(project);
  WRAP(summands);
  WRAP(partial);
  WRAP(hessian_trace);
  WRAP(blocks);
  WRAP(forward);
  WRAP(forward_work_len);
  WRAP(value_work_len);
  WRAP(together);
  WRAP(gradient_many);
  WRAP(hessian_vector_many);
  WRAP(hessian);
  WRAP(hessian_reads);
  WRAP(states);
  WRAP(project_vjp);
#undef WRAP
}

/* Is h the library's l1 |x|_1? */
static bool has_l1(const l2o_problem *p) {
  return l2o_problem_has_prox(p) && p->ops->nonsmooth == l2o_instance_nonsmooth && p->ops->prox == l2o_instance_prox;
}

/* Can this problem be shifted so? */
static l2o_status check(const shifted_family *f, const l2o_problem *inner, l2o_diag *diag) {
  const bool l1 = has_l1(inner), has_h = inner->ops->struct_size > offsetof(l2o_problem_ops, nonsmooth) && inner->ops->nonsmooth;
  if (f->published_prox && !l1)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "shift: the published prox is one of l1 |x|_1; problem '%s' has no such term",
                    l2o_problem_name(inner));
  if (f->function != 0 && has_h && !l1)
    return l2o_fail(diag, L2O_ERR_NOTSUP,
                    "shift: the nonsmooth term of problem '%s' is not the library's l1 |x|_1: only its start can be shifted",
                    l2o_problem_name(inner));
  return L2O_OK;
}

static l2o_status sample_inner(const shifted_family *f, l2o_problem *inner, uint64_t seed, uint64_t index, l2o_diag *diag) {
  *inner = (l2o_problem){0};
  l2o_status status = f->inner->sample(f->inner, inner, seed, index, diag);
  if (!status && (!inner->ops || inner->n == 0))
    status = l2o_fail(diag, L2O_ERR_ARG, "the problem has no unknowns or no operations");
  if (!status)
    status = check(f, inner, diag);
  if (!status && f->from && inner->n != f->base.n)
    status = l2o_fail(diag, L2O_ERR_SHAPE, "the weights are %zu numbers, this instance has %zu unknowns", f->base.n, inner->n);
  if (status && inner->ops)
    l2o_problem_free(inner);
  return status;
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const shifted_family *f = family->data;
  l2o_problem inner;
  l2o_status status = sample_inner(f, &inner, seed, index, diag);
  if (status)
    return status;
  shifted *d = malloc(sizeof *d);
  if (!d) {
    l2o_problem_free(&inner);
    return l2o_fail(diag, L2O_ERR_NOMEM, "shift: out of memory");
  }
  *d = (shifted){.inner = inner,
                 .from = f->from,
                 .start = (l2o_real)f->start,
                 .function = (l2o_real)f->function,
                 .l1 = has_l1(&inner) ? ((const l2o_instance *)inner.data)->l1 : 0,
                 .inner_len = l2o_problem_work_len(&inner),
                 .published_prox = f->published_prox};
  if (inner.ops != f->wrapped)
    wrap(&d->own, inner.ops);
  *out = (l2o_problem){.ops = inner.ops == f->wrapped ? &f->ops : &d->own, .data = d, .n = inner.n};
  return L2O_OK;
}

static void release_family(l2o_family *family) {
  shifted_family *f = (shifted_family *)(uintptr_t)family->data;
  l2o_family_free(f->inner);
  free(f->from);
  free(f);
}

bool l2o_family_is_shifted(const l2o_family *family) {
  return family->free == release_family;
}

/* x + t keeps no digit of an x of size 1 from |t| = 1 / eps on. */
static l2o_status check_size(double shift, const char *what, l2o_diag *diag) {
  const double most = 1 / (sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON);
  if (fabs(shift) < most)
    return L2O_OK;
  return l2o_fail(
      diag, L2O_ERR_ARG,
      "shift of the %s by %g: a shift larger than the data makes sense of; expected less than %.3g, beyond which x + shift "
      "holds no digit of x",
      what, shift, most);
}

/* "shifted: from x_0 + 10; F(x - 5), with the published prox; " and the note of the inner family. */
static void write_note(shifted_family *f) {
  char start[40] = "", function[80] = "";
  if (f->start != 0)
    snprintf(start, sizeof start, "from x_0 %c %g", f->start < 0 ? '-' : '+', fabs(f->start));
  if (f->function != 0)
    snprintf(function, sizeof function, "F(x %c %g)%s", f->function < 0 ? '-' : '+', fabs(f->function),
             f->published_prox ? ", with the published prox" : "");
  snprintf(f->note, sizeof f->note, "shifted: %s%s%s%s%.80s", start, *start && *function ? "; " : "", function,
           f->inner->note ? "; " : "", f->inner->note ? f->inner->note : "");
}

/* The family of which f says how its instances differ from those of f->inner, the first of which has the operations `wrapped`. */
static void finish(l2o_family **out, shifted_family *f, const l2o_problem_ops *wrapped) {
  const l2o_family *inner = f->inner;
  f->wrapped = wrapped;
  wrap(&f->ops, wrapped);
  f->base = (l2o_family){.struct_size = sizeof f->base,
                         .name = inner->name,
                         .n = inner->n,
                         .count = inner->count,
                         .sample = sample,
                         .data = f,
                         .plain_seeds = inner->plain_seeds,
                         .free = release_family,
                         .note = f->note};
  *out = &f->base;
}

l2o_status l2o_family_shifted(l2o_family **out, l2o_family *inner, double by_start, double by_function, bool published_prox,
                              l2o_diag *diag) {
  l2o_problem first;
  *out = NULL;
  l2o_status status = check_size(by_start, "start", diag);
  if (!status)
    status = check_size(by_function, "function", diag);
  if (status)
    return status;
  shifted_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "shift: out of memory");
  *f = (shifted_family){
      .inner = inner, .start = by_start, .function = (double)(l2o_real)by_function, .published_prox = published_prox};
  status = sample_inner(f, &first, 0, 0, diag);
  if (status) {
    free(f);
    return status;
  }
  write_note(f);
  finish(out, f, first.ops);
  l2o_problem_free(&first);
  return L2O_OK;
}

l2o_status l2o_family_started(l2o_family **out, l2o_family *inner, const char *path, l2o_diag *diag) {
  l2o_problem first;
  *out = NULL;
  shifted_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  *f = (shifted_family){.inner = inner};
  l2o_status status = sample_inner(f, &first, 0, 0, diag);
  if (!status) {
    status = l2o_weights_read(&first, &f->from, path, diag);
    if (!status)
      finish(out, f, first.ops);
    f->base.n = first.n;
    l2o_problem_free(&first);
  }
  if (status) {
    free(f);
    return status;
  }
  snprintf(f->note, sizeof f->note, "started at %.120s%s%.80s", path, inner->note ? "; " : "", inner->note ? inner->note : "");
  return L2O_OK;
}
