/* SPDX-License-Identifier: BSD-3-Clause */
/* K-SVD finds the dictionary that samples were made with; of images it codes patches better than what it began with. */
#include "l2o_data_family.h"

#include "problems/instance.h"
#include "problems/ksvd.h"
#include "problems/patches.h"

static double product(const double *x, const double *y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += x[i] * y[i];
  return sum;
}

static void to_unit(double *x, size_t n) {
  const double length = sqrt(product(x, x, n));
  for (size_t i = 0; i < n; i++)
    x[i] /= length;
}

/* 600 sums of three of 20 atoms in 12 dimensions: almost all atoms are found, from samples as a start. */
static void planted_atoms_are_found(void **state) {
  (void)state;
  enum { ROWS = 12, ATOMS = 20, COUNT = 600, S = 3 };
  static double planted[ATOMS * ROWS], samples[COUNT * ROWS], atoms[ATOMS * ROWS], weights[COUNT * S];
  normal_doubles(planted, ATOMS * ROWS, 1);
  normal_doubles(weights, COUNT * S, 2);
  for (size_t j = 0; j < ATOMS; j++)
    to_unit(planted + j * ROWS, ROWS);
  for (size_t i = 0; i < COUNT; i++)
    for (size_t t = 0; t < S; t++) {
      const size_t j = (7 * i + i / ATOMS * (2 * t + 1) + 5 * t) % ATOMS;
      for (size_t k = 0; k < ROWS; k++)
        samples[i * ROWS + k] += weights[i * S + t] * planted[j * ROWS + k];
    }
  memcpy(atoms, samples, sizeof atoms);
  for (size_t j = 0; j < ATOMS; j++)
    to_unit(atoms + j * ROWS, ROWS);
  assert_status(l2o_ksvd(atoms, samples, COUNT, ROWS, ATOMS, S, 60), L2O_OK, NULL);
  size_t found = 0;
  for (size_t j = 0; j < ATOMS; j++) {
    double nearest = 0;
    assert_close(product(atoms + j * ROWS, atoms + j * ROWS, ROWS), 1, 1e-13, 0);
    for (size_t k = 0; k < ATOMS; k++)
      nearest = fmax(nearest, fabs(product(planted + j * ROWS, atoms + k * ROWS, ROWS)));
    found += nearest > 0.99;
  }
  if (found < ATOMS - 3)
    fail_msg("%zu of %d atoms are found", found, (int)ATOMS);
}

/* Samples that one atom codes exactly, and samples that are nothing: what is not used takes over a sample, and nothing is lost. */
static void degenerate_samples_do_no_harm(void **state) {
  (void)state;
  enum { ROWS = 3, ATOMS = 4, COUNT = 6 };
  double samples[COUNT * ROWS] = {0}, atoms[ATOMS * ROWS] = {0};
  for (size_t j = 0; j < ATOMS; j++)
    atoms[j * ROWS + j % ROWS] = 1;
  for (int filled = 0; filled < 2; filled++) {
    for (size_t i = 0; i < COUNT * ROWS && filled; i++)
      samples[i] = (double)(i / ROWS) * (i % ROWS == 0 ? 2 : 1);
    assert_status(l2o_ksvd(atoms, samples, COUNT, ROWS, ATOMS, 1 + (size_t)filled, 5), L2O_OK, NULL);
    double nearest = 0;
    for (size_t j = 0; j < ATOMS; j++) {
      assert_close(product(atoms + j * ROWS, atoms + j * ROWS, ROWS), 1, 1e-14, 0);
      nearest = fmax(nearest, fabs(2 * atoms[j * ROWS] + atoms[j * ROWS + 1] + atoms[j * ROWS + 2]) / sqrt(6));
    }
    assert_true(!filled || nearest > 1 - 1e-12);
  }
}

/* On other patches than it learned from: F* of LASSO is lower than with cosines and with random atoms. */
static void learned_atoms_code_patches_better(void **state) {
  (void)state;
  static const char *const specs[] = {"lasso:dictionary=ksvd", "lasso:dictionary=ksvd,dictionary_seed=2", "lasso:dictionary=random",
                                      "lasso:n=121"};
  double mean[4] = {0};
  for (size_t c = 0; c < 4; c++) {
    l2o_family *family = family_of_file(specs[c], "face.pgm");
    assert_int_equal(family->n, c < 3 ? 128 : 121);
    if (c < 2)
      assert_non_null(strstr(family->note, "K-SVD dictionary of 128 atoms"));
    for (uint64_t i = 0; i < 20; i++) {
      l2o_problem p;
      double fstar;
      assert_status(l2o_family_sample(family, &p, 3, L2O_PURPOSE_EVAL, i, NULL), L2O_OK, NULL);
      assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
      mean[c] += fstar / 20;
      if (i == 0) { /* unit atoms, without a mean */
        const l2o_instance *d = p.data;
        for (size_t j = 0; j < p.n && c < 2; j++) {
          double squares = 0, sum = 0;
          for (size_t k = 0; k < 64; k++) {
            const double a = (double)d->matrix[k * p.n + j];
            squares += a * a, sum += a;
          }
          assert_close(squares, 1, BY_PRECISION(1e-13, 1e-5), 0);
          assert_close(sum, 0, 0, BY_PRECISION(1e-12, 1e-4));
        }
      }
      l2o_problem_free(&p);
    }
    l2o_family_free(family);
  }
  if (!(mean[0] < 0.95 * mean[2] && mean[0] < mean[3] && mean[1] != mean[0] && mean[1] < 0.95 * mean[2]))
    fail_msg("mean F*: learned %g and %g, random %g, cosines %g", mean[0], mean[1], mean[2], mean[3]);
}

static void a_dictionary_is_the_same_every_time(void **state) {
  (void)state;
  l2o_real *A[2];
  l2o_dataset *data;
  l2o_diag diag = {""};
  assert_status(l2o_dataset_read(&data, L2O_TEST_DATA "/../experiments/data/ascent.pgm", &diag), L2O_OK, &diag);
  for (int k = 0; k < 2; k++) {
    A[k] = malloc(16 * 30 * sizeof **A);
    assert_status(l2o_dictionary_ksvd(A[k], data, 4, 30, 2, 5), L2O_OK, NULL);
  }
  assert_same_reals(A[0], A[1], 16 * 30);
  free(A[0]);
  free(A[1]);
  l2o_dataset_free(data);
}

static void flat_images_and_many_atoms_have_dictionaries_too(void **state) {
  (void)state;
  const l2o_real pixels[16] = {0};
  l2o_dataset *data;
  l2o_real A[4 * 7];
  assert_status(l2o_dataset_new(&data, pixels, NULL, 4, 4, NULL), L2O_OK, NULL);
  data->image_height = data->image_width = 4;
  assert_status(l2o_dictionary_ksvd(A, data, 2, 7, 1, 1), L2O_OK, NULL);
  for (size_t j = 0; j < 7; j++) {
    double squares = 0;
    for (size_t k = 0; k < 4; k++)
      squares += (double)A[k * 7 + j] * (double)A[k * 7 + j];
    assert_close(squares, 1, BY_PRECISION(1e-14, 1e-6), 0);
  }
  l2o_dataset_free(data);
}

static void sparsities_that_do_not_fit_are_refused(void **state) {
  (void)state;
  l2o_dataset *data;
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(l2o_dataset_read(&data, L2O_TEST_DATA "/../experiments/data/ascent.pgm", &diag), L2O_OK, &diag);
  assert_status(l2o_family_new_from(&family, "lasso:patch=3,dictionary=ksvd,dictionary_sparsity=10", data, &diag), L2O_ERR_ARG,
                NULL);
  assert_names(&diag, "dictionary_sparsity = 10: expected at most 9");
  l2o_dataset_free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(planted_atoms_are_found),
      cmocka_unit_test(degenerate_samples_do_no_harm),
      cmocka_unit_test(learned_atoms_code_patches_better),
      cmocka_unit_test(a_dictionary_is_the_same_every_time),
      cmocka_unit_test(flat_images_and_many_atoms_have_dictionaries_too),
      cmocka_unit_test(sparsities_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
