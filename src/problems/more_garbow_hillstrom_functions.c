/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of More, Garbow and Hillstrom, "Testing Unconstrained Optimization Software", ACM Transactions on Mathematical
 * Software 7 (1981) 17-41: sizes, starts and minima here, residuals in more_garbow_hillstrom_residuals.h, which is compiled for
 * numbers, for numbers that carry a derivative, and for residuals that have weights. */
#include "problems/more_garbow_hillstrom.h"
#include <math.h>

static const double TWO_PI = 6.283185307179586476925286766559;

/* The angle of (x, y) as a part of the full turn, from -1/4 to 3/4; its jump is where x = 0 and y < 0. */
static double real_turn(double x, double y) {
  return x == 0 ? copysign(0.25, y) : atan(y / x) / TWO_PI + (x < 0 ? 0.5 : 0);
}

static inline l2o_mgh_dual dual_exp(l2o_mgh_dual z) {
  const double e = exp(creal(z));
  return l2o_mgh_dual_of(e, e * cimag(z));
}
static inline l2o_mgh_dual dual_log(l2o_mgh_dual z) {
  return l2o_mgh_dual_of(log(creal(z)), cimag(z) / creal(z));
}
static inline l2o_mgh_dual dual_sin(l2o_mgh_dual z) {
  return l2o_mgh_dual_of(sin(creal(z)), cos(creal(z)) * cimag(z));
}
static inline l2o_mgh_dual dual_cos(l2o_mgh_dual z) {
  return l2o_mgh_dual_of(cos(creal(z)), -sin(creal(z)) * cimag(z));
}
static inline l2o_mgh_dual dual_sqrt(l2o_mgh_dual z) {
  const double root = sqrt(creal(z));
  return l2o_mgh_dual_of(root, cimag(z) / (2 * root));
}
static inline l2o_mgh_dual dual_turn(l2o_mgh_dual x, l2o_mgh_dual y) {
  const double a = creal(x), b = creal(y);
  return l2o_mgh_dual_of(real_turn(a, b), (a * cimag(y) - b * cimag(x)) / (TWO_PI * (a * a + b * b)));
}

#define scalar double
#define SUM l2o_mgh_real_sum
#define NAME(function) function##_real
#define NEXT_WEIGHT(s) 1.0
#define OMITTED(w) false
#define REAL(z) (z)
#define EXP exp
#define LOG log
#define SIN sin
#define COS cos
#define SQRT sqrt
#define TURN real_turn
#include "problems/more_garbow_hillstrom_residuals.h"
#undef NAME
#undef NEXT_WEIGHT
#undef OMITTED
#define NAME(function) function##_weighted
#define NEXT_WEIGHT(s) (*(s)->weight++)
#define OMITTED(w) ((w) == 0)
#include "problems/more_garbow_hillstrom_residuals.h"
#undef scalar
#undef SUM
#undef NAME
#undef NEXT_WEIGHT
#undef OMITTED
#undef REAL
#undef EXP
#undef LOG
#undef SIN
#undef COS
#undef SQRT
#undef TURN
#define scalar l2o_mgh_dual
#define SUM l2o_mgh_dual_sum
#define NAME(function) function##_dual
#define NEXT_WEIGHT(s) 1.0
#define OMITTED(w) false
#define REAL(z) creal(z)
#define EXP dual_exp
#define LOG dual_log
#define SIN dual_sin
#define COS dual_cos
#define SQRT dual_sqrt
#define TURN dual_turn
#include "problems/more_garbow_hillstrom_residuals.h"

/* ---- starts ---- */

static double one_to_n(size_t j, size_t n) {
  (void)n;
  return (double)(j + 1);
}
static double one_over_n(size_t j, size_t n) {
  (void)j;
  return 1 / (double)n;
}
static double down_to_zero(size_t j, size_t n) { /* 1 - j / n */
  return 1 - (double)(j + 1) / (double)n;
}
static double inner_points(size_t j, size_t n) { /* j / (n + 1) */
  return (double)(j + 1) / (double)(n + 1);
}
static double parabola(size_t j, size_t n) { /* t (t - 1), t = j / (n + 1) */
  const double t = inner_points(j, n);
  return t * (t - 1);
}

#define START(...) .start = (const double[]){__VA_ARGS__}, .period = sizeof(double[]){__VA_ARGS__} / sizeof(double)
#define FUNCTION(function) .real = function##_real, .weighted = function##_weighted, .dual = function##_dual
#define FIXED_N(size) .n = (size), .n_low = (size), .n_high = (size), .n_multiple = 1
#define FREE_N(customary, low, multiple) .n = (customary), .n_low = (low), .n_high = L2O_MGH_MOST, .n_multiple = (multiple)

const l2o_mgh_function l2o_mgh_functions[L2O_MGH_COUNT] = {
    {"rosenbrock", FIXED_N(2), .plus = 2, START(-1.2, 1), FUNCTION(rosenbrock)},
    {"freudenstein-roth", FIXED_N(2), .plus = 2, START(0.5, -2), FUNCTION(freudenstein_roth)},
    {"powell-badly-scaled", FIXED_N(2), .plus = 2, START(0, 1), FUNCTION(powell_badly_scaled)},
    {"brown-badly-scaled", FIXED_N(2), .plus = 3, START(1, 1), FUNCTION(brown_badly_scaled)},
    {"beale", FIXED_N(2), .plus = 3, START(1, 1), FUNCTION(beale)},
    {"jennrich-sampson", FIXED_N(2), .plus = 10, .m_high = L2O_MGH_MOST, START(0.3, 0.4), FUNCTION(jennrich_sampson)},
    {"helical-valley", FIXED_N(3), .plus = 3, START(-1, 0, 0), FUNCTION(helical_valley)},
    {"bard", FIXED_N(3), .plus = 15, START(1, 1, 1), FUNCTION(bard)},
    {"gaussian", FIXED_N(3), .plus = 15, START(0.4, 1, 0), FUNCTION(gaussian)},
    {"meyer", FIXED_N(3), .plus = 16, START(0.02, 4000, 250), FUNCTION(meyer)},
    {"gulf", FIXED_N(3), .plus = 99, .m_high = 100, START(5, 2.5, 0.15), FUNCTION(gulf)},
    {"box-3d", FIXED_N(3), .plus = 10, .m_high = L2O_MGH_MOST, START(0, 10, 20), FUNCTION(box)},
    {"powell-singular", FIXED_N(4), .plus = 4, START(3, -1, 0, 1), FUNCTION(powell_singular)},
    {"wood", FIXED_N(4), .plus = 6, START(-3, -1, -3, -1), FUNCTION(wood)},
    {"kowalik-osborne", FIXED_N(4), .plus = 11, START(0.25, 0.39, 0.415, 0.39), FUNCTION(kowalik_osborne)},
    {"brown-dennis", FIXED_N(4), .plus = 20, .m_high = L2O_MGH_MOST, START(25, 5, -5, -1), FUNCTION(brown_dennis)},
    {"osborne-1", FIXED_N(5), .plus = 33, START(0.5, 1.5, -1, 0.01, 0.02), FUNCTION(osborne_1)},
    {"biggs-exp6", FIXED_N(6), .plus = 13, .m_high = L2O_MGH_MOST, START(1, 2, 1, 1, 1, 1), FUNCTION(biggs_exp6)},
    {"osborne-2", FIXED_N(11), .plus = 65, START(1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5), FUNCTION(osborne_2)},
    {"watson", .n = 6, .n_low = 2, .n_high = 31, .n_multiple = 1, .plus = 31, START(0), FUNCTION(watson)},
    {"extended-rosenbrock", FREE_N(10, 2, 2), .per_n = 1, START(-1.2, 1), FUNCTION(rosenbrock)},
    {"extended-powell", FREE_N(12, 4, 4), .per_n = 1, START(3, -1, 0, 1), FUNCTION(powell_singular)},
    {"penalty-1", FREE_N(10, 1, 1), .per_n = 1, .plus = 1, .start_at = one_to_n, FUNCTION(penalty_1)},
    {"penalty-2", FREE_N(10, 1, 1), .per_n = 2, START(0.5), FUNCTION(penalty_2)},
    {"variably-dimensioned", FREE_N(10, 1, 1), .per_n = 1, .plus = 2, .start_at = down_to_zero, FUNCTION(variably_dimensioned)},
    {"trigonometric", FREE_N(10, 1, 1), .per_n = 1, .start_at = one_over_n, FUNCTION(trigonometric)},
    {"brown-almost-linear", FREE_N(10, 1, 1), .per_n = 1, START(0.5), FUNCTION(brown_almost_linear)},
    {"discrete-boundary-value", FREE_N(10, 1, 1), .per_n = 1, .start_at = parabola, FUNCTION(discrete_boundary_value)},
    {"discrete-integral-equation", FREE_N(10, 1, 1), .per_n = 1, .start_at = parabola, FUNCTION(discrete_integral_equation)},
    {"broyden-tridiagonal", FREE_N(10, 1, 1), .per_n = 1, START(-1), FUNCTION(broyden_tridiagonal)},
    {"broyden-banded", FREE_N(10, 1, 1), .per_n = 1, START(-1), FUNCTION(broyden_banded)},
    {"linear-full-rank", FREE_N(10, 1, 1), .per_n = 2, .m_high = L2O_MGH_MOST, START(1), FUNCTION(linear_full_rank)},
    {"linear-rank-1", FREE_N(10, 1, 1), .per_n = 2, .m_high = L2O_MGH_MOST, START(1), FUNCTION(linear_rank_1)},
    {"linear-rank-1-zeros", FREE_N(10, 3, 1), .per_n = 2, .m_high = L2O_MGH_MOST, START(1), FUNCTION(linear_rank_1_zeros)},
    {"chebyquad", FREE_N(8, 1, 1), .per_n = 1, .m_high = L2O_MGH_MOST, .start_at = inner_points, FUNCTION(chebyquad)},
};

/* ---- minima ---- */

typedef struct known_minimum {
  size_t number, n, m; /* ANY: every size that the function has */
  double value;
  const double *point; /* x*_j = point[j mod period]; NULL: not known */
  size_t period;
} known_minimum;

#define ANY 0
#define POINT(...) (const double[]){__VA_ARGS__}, sizeof(double[]){__VA_ARGS__} / sizeof(double)
#define NO_POINT NULL, 0

/* Least values. Numbers that are not exact come from Newton's method with 60 digits and agree with all digits that the paper
 * prints. There are other, higher minima: of 2 (48.98...), 8 (17.42..., at infinity), 15 (1.027...e-3, at infinity), 18, 26 (n =
 * 10: 2.795...e-5), 27 (1) and of 35 (n = 10: 6.503...e-3, which is the value that the paper gives). */
static const known_minimum minima[] = {
    {1, ANY, ANY, 0, POINT(1)},
    {2, ANY, ANY, 0, POINT(5, 4)},
    {3, ANY, ANY, 0, POINT(1.0981593296998175e-05, 9.1061467398665240)},
    {4, ANY, ANY, 0, POINT(1e6, 2e-6)},
    {5, ANY, ANY, 0, POINT(3, 0.5)},
    {6, 2, 10, 124.36218235561485, POINT(0.2578252136703641, 0.2578252136703641)},
    {7, ANY, ANY, 0, POINT(1, 0, 0)},
    {8, 3, 15, 0.008214877306578975, POINT(0.08241055974978893, 1.1330360920297216, 2.343695178642537)},
    {9, 3, 15, 1.127932769618648e-08, POINT(0.39895613783875666, 1.0000190844878056, 0)},
    {10, 3, 16, 87.94585517085112, POINT(0.005609636471028053, 6181.346346286372, 345.2236346241365)},
    {11, ANY, ANY, 0, POINT(50, 25, 1.5)},
    {12, ANY, ANY, 0, POINT(1, 10, 1)},
    {13, ANY, ANY, 0, POINT(0)},
    {14, ANY, ANY, 0, POINT(1)},
    {15, 4, 11, 0.00030750560384923745, POINT(0.19280693457903786, 0.19128232873436696, 0.12305650692632066, 0.13606233068379484)},
    {16, 4, 20, 85822.20162635634, POINT(-11.594439904762165, 13.203630051207204, -0.40343948817685954, 0.2367787744557363)},
    {17, 5, 33, 5.464894697482907e-05,
     POINT(0.37541005210695205, 1.9358469127123674, -1.464687136613423, 0.012867534640057288, 0.02212269966167261)},
    {18, ANY, ANY, 0, POINT(1, 10, 1, 5, 4, 3)},
    {19, 11, 65, 0.040137736293547735,
     POINT(1.3099771546273005, 0.4315537946029889, 0.633661698960724, 0.5994305347859163, 0.7541832263280113, 0.9042885798596336,
           1.3658118352370285, 4.8236988172271555, 2.3986848661317546, 4.568874597667672, 5.6753414705806415)},
    {20, 6, 31, 0.0022876700535524363,
     POINT(-0.015725086401458456, 1.0124348693691099, -0.2329916259567377, 1.2604300877996084, -1.5137289227222797,
           0.9929964324311346)},
    {20, 9, 31, 1.39976013809902e-06,
     POINT(-1.5307036521394342e-05, 0.9997897039319483, 0.014763963693556958, 0.14634232829936222, 1.0008211030047092,
           -2.617731140519015, 4.104403164478857, -3.1436122785564424, 1.0526264080101668)},
    {20, 12, 31, 4.722381105891757e-10,
     POINT(-6.638060464520687e-09, 1.000001644117862, -0.0005639322103423058, 0.34782054050404243, -0.15673150409616513,
           1.0528151772071777, -3.2472711534596677, 7.288434897938061, -10.271848241321724, 9.074113647075317, -4.541375466692512,
           1.0120118885528104)},
    {21, ANY, ANY, 0, POINT(1)},
    {22, ANY, ANY, 0, POINT(0)},
    {23, 4, 5, 2.249977500899937e-05, POINT(0.2500074995875379)},
    {23, 10, 11, 7.087651467090369e-05, POINT(0.15812230111311634)},
    {24, 4, 8, 9.376293007355442e-06, POINT(0.1999993333503804, 0.19131670099277245, 0.48010148533262315, 0.5188454043902005)},
    {24, 10, 20, 0.00029366053745674594,
     POINT(0.1999836051978236, 0.010350648471292297, 0.019604934480438402, 0.03208906722068565, 0.049932677399641294,
           0.07651399515399361, 0.11862407286950417, 0.19214487233557667, 0.34732058694184365, 0.3691643741593508)},
    {25, ANY, ANY, 0, POINT(1)},
    {26, ANY, ANY, 0, POINT(0)},
    {27, ANY, ANY, 0, POINT(1)},
    {28, 10, 10, 0,
     POINT(-0.04316498251876487, -0.08157715653538689, -0.11448571438052929, -0.14097357686259668, -0.1599086961819831,
           -0.16987720231277492, -0.16908998378120835, -0.15524953522183182, -0.125355891678935, -0.07541653368589209)},
    {28, ANY, ANY, 0, NO_POINT},
    {29, 10, 10, 0,
     POINT(-0.04316498251876487, -0.08157715653538689, -0.11448571438052929, -0.14097357686259668, -0.1599086961819831,
           -0.16987720231277492, -0.16908998378120835, -0.15524953522183182, -0.125355891678935, -0.07541653368589209)},
    {29, ANY, ANY, 0, NO_POINT},
    {30, 10, 10, 0,
     POINT(-0.5707221320112248, -0.681806949984275, -0.7022100760176601, -0.7055106298950804, -0.7049061557287437,
           -0.7014966070298512, -0.6918893223547983, -0.6657965144058537, -0.5960351090263657, -0.4164122575286934)},
    {30, ANY, ANY, 0, NO_POINT},
    {31, 10, 10, 0,
     POINT(-0.4283028635872503, -0.47659642435629024, -0.5196524636468617, -0.5580993248321809, -0.5925061568294574,
           -0.624503682199468, -0.6232394714405911, -0.6213938417965735, -0.6204535966590874, -0.5864692707204351)},
    {31, ANY, ANY, 0, NO_POINT},
    {35, 8, 8, 0.0035168737256779316,
     POINT(0.04315276015101663, 0.1930908403841861, 0.26632870689027294, 0.5, 0.5, 0.7336712931097271, 0.8069091596158139,
           0.9568472398489833)},
    {35, 10, 10, 0.004772713696375349,
     POINT(0.032993373018074465, 0.15514535775907337, 0.20018919846138622, 0.38326166496125497, 0.38326166496125497,
           0.5292494771334065, 0.6403535493710659, 0.7135658474159999, 0.8284818230519073, 0.9252518337853975)},
    {35, 1, 1, 0, NO_POINT},
    {35, 2, 2, 0, NO_POINT},
    {35, 3, 3, 0, NO_POINT},
    {35, 4, 4, 0, NO_POINT},
    {35, 5, 5, 0, NO_POINT},
    {35, 6, 6, 0, NO_POINT},
    {35, 7, 7, 0, NO_POINT},
    {35, 9, 9, 0, NO_POINT},
};

/* Minima of the linear functions, |r|^2 over the line or plane where it is constant; false for the others. */
static bool linear_minimum(double *fstar, double *x, size_t number, size_t n, size_t m) {
  const double rows = (double)m;
  if (number < 32 || number > 34)
    return false;
  if (number == 32)
    *fstar = rows - (double)n;
  else if (number == 33) /* where sum_j j x_j = 3 / (2m + 1) */
    *fstar = rows * (rows - 1) / (2 * (2 * rows + 1));
  else /* where sum_{1<j<n} j x_j = 3 / (2m - 3) */
    *fstar = (rows * rows + 3 * rows - 6) / (2 * (2 * rows - 3));
  for (size_t j = 0; x && j < n; j++)
    x[j] = number == 32 ? -1 : 0;
  if (x && number == 33)
    x[0] = 3 / (2 * rows + 1);
  if (x && number == 34)
    x[1] = 1.5 / (2 * rows - 3);
  return true;
}

l2o_status l2o_mgh_minimum(double *fstar, double *x, size_t number, size_t n, size_t m) {
  if (linear_minimum(fstar, x, number, n, m))
    return L2O_OK;
  for (const known_minimum *k = minima; k < minima + sizeof minima / sizeof *minima; k++) {
    if (k->number != number || (k->n != ANY && k->n != n) || (k->m != ANY && k->m != m) || (x && !k->point))
      continue;
    *fstar = k->value;
    for (size_t j = 0; x && j < n; j++)
      x[j] = k->point[j % k->period];
    return L2O_OK;
  }
  return L2O_ERR_NOTSUP;
}
