/* SPDX-License-Identifier: BSD-3-Clause */
/* The residuals of the 35 functions and their derivatives, once for every kind of sum: more_garbow_hillstrom_functions.c defines
 * `scalar`, SUM, NAME(), NEXT_WEIGHT(), OMITTED(), REAL(), EXP() and the like, and includes this. Formulas are numbered as in the
 * paper; indices there start at 1, here at 0. Every function adds its m residuals one after another, each exactly once. */

/* The next residual: f += weight r^2; 2 weight r, the weight of the derivatives of r in g, for residuals that share parts of them.
 * A residual of weight zero is not looked at, nor are its derivatives where they may be infinite: OMITTED(2 weight r). */
static inline scalar NAME(square)(SUM *s, scalar r) {
  const double weight = NEXT_WEIGHT(s);
  if (weight == 0)
    return 0;
  s->f += weight * (r * r);
  return 2 * weight * r;
}

/* The next residual r and its derivatives with respect to count unknowns from `first` on: f += weight r^2, g += 2 weight r r'. */
static inline void NAME(term)(SUM *s, size_t first, scalar r, const scalar *derivatives, size_t count) {
  const scalar w = NAME(square)(s, r);
  if (s->g && !OMITTED(w))
    for (size_t j = 0; j < count; j++)
      s->g[first + j] += w * derivatives[j];
}
#define TERM(first, r, ...)                                                                                                        \
  NAME(term)(s, first, r, (const scalar[]){__VA_ARGS__}, sizeof(const scalar[]){__VA_ARGS__} / sizeof(scalar))

/* 1 and 21: f_2i-1 = 10 (x_2i - x_2i-1^2), f_2i = 1 - x_2i-1 */
static void NAME(rosenbrock)(SUM *s) {
  for (size_t j = 0; j < s->n; j += 2) {
    const scalar x1 = s->x[j], x2 = s->x[j + 1];
    TERM(j, 10 * (x2 - x1 * x1), -20 * x1, 10);
    TERM(j, 1 - x1, -1);
  }
}

/* 2: f_1 = -13 + x1 + ((5 - x2) x2 - 2) x2, f_2 = -29 + x1 + ((x2 + 1) x2 - 14) x2 */
static void NAME(freudenstein_roth)(SUM *s) {
  const scalar x1 = s->x[0], x2 = s->x[1];
  TERM(0, -13 + x1 + ((5 - x2) * x2 - 2) * x2, 1, (10 - 3 * x2) * x2 - 2);
  TERM(0, -29 + x1 + ((x2 + 1) * x2 - 14) * x2, 1, (3 * x2 + 2) * x2 - 14);
}

/* 3: f_1 = 10^4 x1 x2 - 1, f_2 = exp(-x1) + exp(-x2) - 1.0001 */
static void NAME(powell_badly_scaled)(SUM *s) {
  const scalar x1 = s->x[0], x2 = s->x[1], e1 = EXP(-x1), e2 = EXP(-x2);
  TERM(0, 1e4 * x1 * x2 - 1, 1e4 * x2, 1e4 * x1);
  TERM(0, e1 + e2 - 1.0001, -e1, -e2);
}

/* 4: f_1 = x1 - 10^6, f_2 = x2 - 2 10^-6, f_3 = x1 x2 - 2 */
static void NAME(brown_badly_scaled)(SUM *s) {
  const scalar x1 = s->x[0], x2 = s->x[1];
  TERM(0, x1 - 1e6, 1);
  TERM(1, x2 - 2e-6, 1);
  TERM(0, x1 * x2 - 2, x2, x1);
}

/* 5: f_i = y_i - x1 (1 - x2^i) */
static void NAME(beale)(SUM *s) {
  static const double y[] = {1.5, 2.25, 2.625};
  const scalar x1 = s->x[0], x2 = s->x[1];
  scalar power = 1; /* x2^(i-1) */
  for (size_t i = 1; i <= 3; i++) {
    TERM(0, y[i - 1] - x1 * (1 - power * x2), power * x2 - 1, x1 * (double)i * power);
    power *= x2;
  }
}

/* 6: f_i = 2 + 2i - (exp(i x1) + exp(i x2)) */
static void NAME(jennrich_sampson)(SUM *s) {
  for (size_t k = 1; k <= s->m; k++) {
    const double i = (double)k;
    const scalar e1 = EXP(i * s->x[0]), e2 = EXP(i * s->x[1]);
    TERM(0, 2 + 2 * i - (e1 + e2), -i * e1, -i * e2);
  }
}

/* 7: f_1 = 10 (x3 - 10 theta), f_2 = 10 (sqrt(x1^2 + x2^2) - 1), f_3 = x3, 2 pi theta = arctan(x2 / x1) (x1 > 0), + pi (x1 < 0) */
static void NAME(helical_valley)(SUM *s) {
  const scalar x1 = s->x[0], x2 = s->x[1], x3 = s->x[2], square = x1 * x1 + x2 * x2, radius = SQRT(square);
  TERM(0, 10 * (x3 - 10 * TURN(x1, x2)), 100 * x2 / (TWO_PI * square), -100 * x1 / (TWO_PI * square), 10);
  TERM(0, 10 * (radius - 1), 10 * x1 / radius, 10 * x2 / radius);
  TERM(2, x3, 1);
}

/* 8: f_i = y_i - (x1 + u_i / (v_i x2 + w_i x3)), u_i = i, v_i = 16 - i, w_i = min(u_i, v_i) */
static void NAME(bard)(SUM *s) {
  static const double y[] = {.14, .18, .22, .25, .29, .32, .35, .39, .37, .58, .73, .96, 1.34, 2.10, 4.39};
  for (size_t i = 1; i <= 15; i++) {
    const double u = (double)i, v = 16 - u, w = u < v ? u : v;
    const scalar d = v * s->x[1] + w * s->x[2], slope = u / (d * d);
    TERM(0, y[i - 1] - (s->x[0] + u / d), -1, v * slope, w * slope);
  }
}

/* 9: f_i = x1 exp(-x2 (t_i - x3)^2 / 2) - y_i, t_i = (8 - i) / 2 */
static void NAME(gaussian)(SUM *s) {
  static const double y[] = {.0009, .0044, .0175, .0540, .1295, .2420, .3521, .3989};
  const scalar x1 = s->x[0], x2 = s->x[1], x3 = s->x[2];
  for (size_t i = 1; i <= 15; i++) {
    const scalar d = (8 - (double)i) / 2 - x3, e = EXP(-x2 * d * d / 2);
    TERM(0, x1 * e - y[i <= 8 ? i - 1 : 15 - i], e, -x1 * e * d * d / 2, x1 * e * x2 * d);
  }
}

/* 10: f_i = x1 exp(x2 / (t_i + x3)) - y_i, t_i = 45 + 5i */
static void NAME(meyer)(SUM *s) {
  static const double y[] = {34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872};
  for (size_t i = 1; i <= 16; i++) {
    const scalar d = 45 + 5 * (double)i + s->x[2], e = EXP(s->x[1] / d), slope = s->x[0] * e / d;
    TERM(0, s->x[0] * e - y[i - 1], e, slope, -slope * s->x[1] / d);
  }
}

/* 11: f_i = exp(-|y_i - x2|^x3 / x1) - t_i, t_i = i / 100, y_i = 25 + (-50 ln t_i)^(2/3). The paper prints "y_i m i x2": the
 * authors' program (Algorithm 566) has the difference. */
static void NAME(gulf)(SUM *s) {
  const scalar x1 = s->x[0], x2 = s->x[1], x3 = s->x[2];
  for (size_t i = 1; i <= s->m; i++) {
    const double t = (double)i / 100, root = cbrt(-50 * log(t)), y = 25 + root * root;
    const double sign = y < REAL(x2) ? -1 : 1;
    const scalar u = sign * (y - x2);
    if (REAL(u) == 0) { /* u^x3 = 0 with its derivatives */
      TERM(0, 1 - t, 0, 0, 0);
      continue;
    }
    const scalar logarithm = LOG(u), p = EXP(x3 * logarithm), e = EXP(-p / x1), slope = e * p / x1;
    TERM(0, e - t, slope / x1, sign * slope * x3 / u, -slope * logarithm);
  }
}

/* 12: f_i = exp(-t_i x1) - exp(-t_i x2) - x3 (exp(-t_i) - exp(-10 t_i)), t_i = i / 10 */
static void NAME(box)(SUM *s) {
  for (size_t i = 1; i <= s->m; i++) {
    const double t = (double)i / 10, d = exp(-t) - exp(-10 * t);
    const scalar e1 = EXP(-t * s->x[0]), e2 = EXP(-t * s->x[1]);
    TERM(0, e1 - e2 - s->x[2] * d, -t * e1, t * e2, -d);
  }
}

/* 13 and 22: f_4i-3 = x1 + 10 x2, f_4i-2 = sqrt(5) (x3 - x4), f_4i-1 = (x2 - 2 x3)^2, f_4i = sqrt(10) (x1 - x4)^2 of each four */
static void NAME(powell_singular)(SUM *s) {
  for (size_t j = 0; j < s->n; j += 4) {
    const scalar *x = s->x + j, b = x[1] - 2 * x[2], c = x[0] - x[3];
    TERM(j, x[0] + 10 * x[1], 1, 10);
    TERM(j + 2, sqrt(5) * (x[2] - x[3]), sqrt(5), -sqrt(5));
    TERM(j + 1, b * b, 2 * b, -4 * b);
    TERM(j, sqrt(10) * c * c, 2 * sqrt(10) * c, 0, 0, -2 * sqrt(10) * c);
  }
}

/* 14: f_1 = 10 (x2 - x1^2), f_2 = 1 - x1, f_3 = sqrt(90) (x4 - x3^2), f_4 = 1 - x3, f_5 = sqrt(10) (x2 + x4 - 2),
 * f_6 = (x2 - x4) / sqrt(10) */
static void NAME(wood)(SUM *s) {
  const scalar *x = s->x;
  TERM(0, 10 * (x[1] - x[0] * x[0]), -20 * x[0], 10);
  TERM(0, 1 - x[0], -1);
  TERM(2, sqrt(90) * (x[3] - x[2] * x[2]), -2 * sqrt(90) * x[2], sqrt(90));
  TERM(2, 1 - x[2], -1);
  TERM(1, sqrt(10) * (x[1] + x[3] - 2), sqrt(10), 0, sqrt(10));
  TERM(1, (x[1] - x[3]) / sqrt(10), 1 / sqrt(10), 0, -1 / sqrt(10));
}

/* 15: f_i = y_i - x1 (u_i^2 + u_i x2) / (u_i^2 + u_i x3 + x4) */
static void NAME(kowalik_osborne)(SUM *s) {
  static const double y[] = {.1957, .1947, .1735, .1600, .0844, .0627, .0456, .0342, .0323, .0235, .0246};
  static const double us[] = {4, 2, 1, .5, .25, .167, .125, .1, .0833, .0714, .0625};
  for (size_t i = 0; i < 11; i++) {
    const double u = us[i];
    const scalar a = u * (u + s->x[1]), d = u * (u + s->x[2]) + s->x[3], q = s->x[0] / d;
    TERM(0, y[i] - q * a, -a / d, -q * u, q * a * u / d, q * a / d);
  }
}

/* 16: f_i = (x1 + t_i x2 - exp t_i)^2 + (x3 + x4 sin t_i - cos t_i)^2, t_i = i / 5 */
static void NAME(brown_dennis)(SUM *s) {
  for (size_t i = 1; i <= s->m; i++) {
    const double t = (double)i / 5;
    const scalar a = s->x[0] + t * s->x[1] - exp(t), b = s->x[2] + s->x[3] * sin(t) - cos(t);
    TERM(0, a * a + b * b, 2 * a, 2 * t * a, 2 * b, 2 * sin(t) * b);
  }
}

/* 17: f_i = y_i - (x1 + x2 exp(-t_i x4) + x3 exp(-t_i x5)), t_i = 10 (i - 1) */
static void NAME(osborne_1)(SUM *s) {
  static const double y[] = {.844, .908, .932, .936, .925, .908, .881, .850, .818, .784, .751, .718, .685, .658, .628, .603, .580,
                             .558, .538, .522, .506, .490, .478, .467, .457, .448, .438, .431, .424, .420, .414, .411, .406};
  for (size_t i = 0; i < 33; i++) {
    const double t = 10 * (double)i;
    const scalar e4 = EXP(-t * s->x[3]), e5 = EXP(-t * s->x[4]);
    TERM(0, y[i] - (s->x[0] + s->x[1] * e4 + s->x[2] * e5), -1, -e4, -e5, t * s->x[1] * e4, t * s->x[2] * e5);
  }
}

/* 18: f_i = x3 exp(-t_i x1) - x4 exp(-t_i x2) + x6 exp(-t_i x5) - y_i, t_i = i / 10, y_i = exp(-t_i) - 5 exp(-10 t_i) + 3 exp(-4
 * t_i)
 */
static void NAME(biggs_exp6)(SUM *s) {
  for (size_t i = 1; i <= s->m; i++) {
    const double t = (double)i / 10, y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t);
    const scalar *x = s->x, e1 = EXP(-t * x[0]), e2 = EXP(-t * x[1]), e5 = EXP(-t * x[4]);
    TERM(0, x[2] * e1 - x[3] * e2 + x[5] * e5 - y, -t * x[2] * e1, t * x[3] * e2, e1, -e2, -t * x[5] * e5, e5);
  }
}

/* 19: f_i = y_i - (x1 exp(-t_i x5) + x2 exp(-(t_i - x9)^2 x6) + x3 exp(-(t_i - x10)^2 x7) + x4 exp(-(t_i - x11)^2 x8)),
 * t_i = (i - 1) / 10 */
static void NAME(osborne_2)(SUM *s) {
  static const double y[] = {1.366, 1.191, 1.112, 1.013, .991, .885, .831, .847, .786, .725, .746, .679, .608,
                             .655,  .616,  .606,  .602,  .626, .651, .724, .649, .649, .694, .644, .624, .661,
                             .612,  .558,  .533,  .495,  .500, .423, .395, .375, .372, .391, .396, .405, .428,
                             .429,  .523,  .562,  .607,  .653, .672, .708, .633, .668, .645, .632, .591, .559,
                             .597,  .625,  .739,  .710,  .729, .720, .636, .581, .428, .292, .162, .098, .054};
  const scalar *x = s->x;
  for (size_t i = 0; i < 65; i++) {
    const double t = (double)i / 10;
    const scalar d9 = t - x[8], d10 = t - x[9], d11 = t - x[10];
    const scalar e5 = EXP(-t * x[4]), e6 = EXP(-d9 * d9 * x[5]), e7 = EXP(-d10 * d10 * x[6]), e8 = EXP(-d11 * d11 * x[7]);
    TERM(0, y[i] - (x[0] * e5 + x[1] * e6 + x[2] * e7 + x[3] * e8), -e5, -e6, -e7, -e8, t * x[0] * e5, d9 * d9 * x[1] * e6,
         d10 * d10 * x[2] * e7, d11 * d11 * x[3] * e8, -2 * d9 * x[5] * x[1] * e6, -2 * d10 * x[6] * x[2] * e7,
         -2 * d11 * x[7] * x[3] * e8);
  }
}

/* 20: f_i = sum_{j>1} (j - 1) x_j t_i^(j-2) - (sum_j x_j t_i^(j-1))^2 - 1, t_i = i / 29 (i <= 29), f_30 = x1, f_31 = x2 - x1^2 - 1
 */
static void NAME(watson)(SUM *s) {
  const scalar *x = s->x;
  for (size_t i = 1; i <= 29; i++) {
    const double t = (double)i / 29;
    scalar slope = 0, sum = 0;
    for (size_t j = s->n; j-- > 0;) { /* Horner: the polynomial and its derivative */
      slope = slope * t + sum;
      sum = sum * t + x[j];
    }
    const scalar w = NAME(square)(s, slope - sum * sum - 1);
    double power = 1, below = 0; /* t^(j-1), (j - 1) t^(j-2) */
    for (size_t j = 0; j < s->n && s->g && !OMITTED(w); j++) {
      s->g[j] += w * (below - 2 * sum * power);
      below = below * t + power;
      power *= t;
    }
  }
  TERM(0, x[0], 1);
  TERM(0, x[1] - x[0] * x[0] - 1, -2 * x[0], 1);
}

/* 23: f_i = sqrt(10^-5) (x_i - 1), f_n+1 = sum_j x_j^2 - 1/4 */
static void NAME(penalty_1)(SUM *s) {
  const double root = sqrt(1e-5);
  scalar sum = -0.25;
  for (size_t j = 0; j < s->n; j++) {
    TERM(j, root * (s->x[j] - 1), root);
    sum += s->x[j] * s->x[j];
  }
  const scalar w = NAME(square)(s, sum);
  for (size_t j = 0; j < s->n && s->g; j++)
    s->g[j] += w * 2 * s->x[j];
}

/* 24: f_1 = x1 - 0.2, f_i = sqrt(10^-5) (exp(x_i / 10) + exp(x_i-1 / 10) - y_i) (i <= n),
 * f_i = sqrt(10^-5) (exp(x_i-n+1 / 10) - exp(-1/10)) (n < i < 2n), f_2n = sum_j (n - j + 1) x_j^2 - 1,
 * y_i = exp(i / 10) + exp((i - 1) / 10) */
static void NAME(penalty_2)(SUM *s) {
  const double root = sqrt(1e-5);
  const size_t n = s->n;
  scalar sum = (double)n * s->x[0] * s->x[0] - 1, before = EXP(s->x[0] / 10);
  TERM(0, s->x[0] - 0.2, 1);
  for (size_t j = 1; j < n; j++) {
    const scalar e = EXP(s->x[j] / 10);
    const double y = exp((double)(j + 1) / 10) + exp((double)j / 10);
    TERM(j - 1, root * (e + before - y), root * before / 10, root * e / 10);
    TERM(j, root * (e - exp(-0.1)), root * e / 10);
    sum += (double)(n - j) * s->x[j] * s->x[j];
    before = e;
  }
  const scalar w = NAME(square)(s, sum);
  for (size_t j = 0; j < n && s->g; j++)
    s->g[j] += w * 2 * (double)(n - j) * s->x[j];
}

/* 25: f_i = x_i - 1, f_n+1 = sum_j j (x_j - 1), f_n+2 = f_n+1^2 */
static void NAME(variably_dimensioned)(SUM *s) {
  scalar sum = 0;
  for (size_t j = 0; j < s->n; j++) {
    TERM(j, s->x[j] - 1, 1);
    sum += (double)(j + 1) * (s->x[j] - 1);
  }
  const scalar once = NAME(square)(s, sum), twice = NAME(square)(s, sum * sum);
  const scalar w = once + (OMITTED(twice) ? 0 : twice * 2 * sum);
  for (size_t j = 0; j < s->n && s->g; j++)
    s->g[j] += w * (double)(j + 1);
}

/* 26: f_i = n - sum_j cos x_j + i (1 - cos x_i) - sin x_i */
static void NAME(trigonometric)(SUM *s) {
  const size_t n = s->n;
  scalar sum = 0, weights = 0;
  for (size_t j = 0; j < n; j++)
    sum += 1 - COS(s->x[j]);
  for (size_t j = 0; j < n; j++) {
    const double i = (double)(j + 1);
    const scalar sine = SIN(s->x[j]), cosine = COS(s->x[j]), w = NAME(square)(s, sum + i * (1 - cosine) - sine);
    weights += w;
    s->room[j] = sine;
    if (s->g)
      s->g[j] += w * (i * sine - cosine);
  }
  for (size_t j = 0; j < n && s->g; j++)
    s->g[j] += weights * s->room[j];
}

/* 27: f_i = x_i + sum_j x_j - (n + 1) (i < n), f_n = prod_j x_j - 1 */
static void NAME(brown_almost_linear)(SUM *s) {
  const size_t n = s->n;
  scalar sum = -(double)(n + 1), product = 1, weights = 0;
  for (size_t j = 0; j < n; j++) {
    sum += s->x[j];
    s->room[j] = product; /* of those before j */
    product *= s->x[j];
  }
  for (size_t j = 0; j + 1 < n; j++) {
    const scalar w = NAME(square)(s, s->x[j] + sum);
    weights += w;
    if (s->g)
      s->g[j] += w;
  }
  const scalar w = NAME(square)(s, product - 1);
  product = 1; /* of those behind j */
  for (size_t j = n; j-- > 0 && s->g;) {
    s->g[j] += OMITTED(w) ? weights : weights + w * s->room[j] * product;
    product *= s->x[j];
  }
}

/* 28: f_i = 2 x_i - x_i-1 - x_i+1 + h^2 (x_i + t_i + 1)^3 / 2, h = 1 / (n + 1), t_i = i h, x_0 = x_n+1 = 0 */
static void NAME(discrete_boundary_value)(SUM *s) {
  const size_t n = s->n;
  const double h = 1 / (double)(n + 1);
  for (size_t j = 0; j < n; j++) {
    const scalar b = s->x[j] + (double)(j + 1) * h + 1;
    const scalar left = j > 0 ? s->x[j - 1] : 0, right = j + 1 < n ? s->x[j + 1] : 0;
    const scalar w = NAME(square)(s, 2 * s->x[j] - left - right + h * h * b * b * b / 2);
    if (!s->g || OMITTED(w))
      continue;
    s->g[j] += w * (2 + 1.5 * h * h * b * b);
    if (j > 0)
      s->g[j - 1] -= w;
    if (j + 1 < n)
      s->g[j + 1] -= w;
  }
}

/* 29: f_i = x_i + h ((1 - t_i) sum_{j<=i} t_j c_j + t_i sum_{j>i} (1 - t_j) c_j) / 2, c_j = (x_j + t_j + 1)^3, h and t_i as above
 */
static void NAME(discrete_integral_equation)(SUM *s) {
  const size_t n = s->n;
  const double h = 1 / (double)(n + 1);
  scalar before = 0, behind = 0; /* the two sums */
  for (size_t j = n; j-- > 0;) {
    const double t = (double)(j + 1) * h;
    const scalar b = s->x[j] + t + 1;
    s->room[j] = behind;
    behind += (1 - t) * b * b * b;
  }
  scalar weights = 0; /* of the derivative of c_j: sum_{i<j} w_i t_i, ... */
  for (size_t j = 0; j < n; j++) {
    const double t = (double)(j + 1) * h;
    const scalar b = s->x[j] + t + 1;
    before += t * b * b * b;
    const scalar w = NAME(square)(s, s->x[j] + h * ((1 - t) * before + t * s->room[j]) / 2);
    if (s->g)
      s->g[j] += w + weights * (1 - t) * 1.5 * h * b * b;
    weights += w * t;
    s->room[j] = w;
  }
  weights = 0; /* ... and sum_{i>=j} w_i (1 - t_i) */
  for (size_t j = n; j-- > 0 && s->g;) {
    const double t = (double)(j + 1) * h;
    const scalar b = s->x[j] + t + 1;
    weights += s->room[j] * (1 - t);
    s->g[j] += weights * t * 1.5 * h * b * b;
  }
}

/* 30: f_i = (3 - 2 x_i) x_i - x_i-1 - 2 x_i+1 + 1, x_0 = x_n+1 = 0 */
static void NAME(broyden_tridiagonal)(SUM *s) {
  const size_t n = s->n;
  for (size_t j = 0; j < n; j++) {
    const scalar x = s->x[j], left = j > 0 ? s->x[j - 1] : 0, right = j + 1 < n ? s->x[j + 1] : 0;
    const scalar w = NAME(square)(s, (3 - 2 * x) * x - left - 2 * right + 1);
    if (!s->g || OMITTED(w))
      continue;
    s->g[j] += w * (3 - 4 * x);
    if (j > 0)
      s->g[j - 1] -= w;
    if (j + 1 < n)
      s->g[j + 1] -= 2 * w;
  }
}

/* 31: f_i = x_i (2 + 5 x_i^2) + 1 - sum_j x_j (1 + x_j) over the j from i - 5 to i + 1 that there are, but for i */
static void NAME(broyden_banded)(SUM *s) {
  const size_t n = s->n;
  for (size_t i = 0; i < n; i++) {
    const scalar x = s->x[i];
    const size_t from = i < 5 ? 0 : i - 5, to = i + 1 < n ? i + 1 : i;
    scalar r = x * (2 + 5 * x * x) + 1;
    for (size_t j = from; j <= to; j++)
      if (j != i)
        r -= s->x[j] * (1 + s->x[j]);
    const scalar w = NAME(square)(s, r);
    if (!s->g || OMITTED(w))
      continue;
    for (size_t j = from; j <= to; j++)
      s->g[j] += w * (j == i ? 2 + 15 * x * x : -1 - 2 * s->x[j]);
  }
}

/* 32: f_i = x_i - (2 / m) sum_j x_j - 1 (i <= n), f_i = -(2 / m) sum_j x_j - 1 (i > n) */
static void NAME(linear_full_rank)(SUM *s) {
  scalar sum = 0, weights = 0;
  for (size_t j = 0; j < s->n; j++)
    sum += s->x[j];
  for (size_t i = 0; i < s->m; i++) {
    const scalar w = NAME(square)(s, (i < s->n ? s->x[i] : 0) - 2 * sum / (double)s->m - 1);
    weights += w;
    if (s->g && i < s->n)
      s->g[i] += w;
  }
  for (size_t j = 0; j < s->n && s->g; j++)
    s->g[j] -= 2 * weights / (double)s->m;
}

/* 33: f_i = i sum_j j x_j - 1 */
static void NAME(linear_rank_1)(SUM *s) {
  scalar sum = 0, weights = 0;
  for (size_t j = 0; j < s->n; j++)
    sum += (double)(j + 1) * s->x[j];
  for (size_t i = 1; i <= s->m; i++)
    weights += NAME(square)(s, (double)i * sum - 1) * (double)i;
  for (size_t j = 0; j < s->n && s->g; j++)
    s->g[j] += weights * (double)(j + 1);
}

/* 34: f_1 = f_m = -1, f_i = (i - 1) sum_{1<j<n} j x_j - 1 (1 < i < m) */
static void NAME(linear_rank_1_zeros)(SUM *s) {
  const double first = NEXT_WEIGHT(s);
  scalar sum = 0, weights = 0;
  for (size_t j = 1; j + 1 < s->n; j++)
    sum += (double)(j + 1) * s->x[j];
  for (size_t i = 1; i + 1 < s->m; i++)
    weights += NAME(square)(s, (double)i * sum - 1) * (double)i;
  s->f += first + NEXT_WEIGHT(s);
  for (size_t j = 1; j + 1 < s->n && s->g; j++)
    s->g[j] += weights * (double)(j + 1);
}

/* 35: f_i = 1/n sum_j T_i(x_j) - (integral of T_i from 0 to 1), T_i the Chebyshev polynomial of degree i shifted to [0, 1];
 * the integral is 0 for odd i and -1 / (i^2 - 1) for even i */
static void NAME(chebyquad)(SUM *s) {
  const double n = (double)s->n;
  scalar *r = s->room;
  for (size_t i = 0; i < s->m; i++) {
    const double degree = (double)(i + 1);
    r[i] = i % 2 == 0 ? 0 : 1 / (degree * degree - 1);
  }
  for (size_t j = 0; j < s->n; j++) { /* T_i+1 = 2 z T_i - T_i-1, z = 2x - 1 */
    const scalar z = 2 * s->x[j] - 1;
    scalar before = 1, now = z;
    for (size_t i = 0; i < s->m; i++) {
      r[i] += now / n;
      const scalar next = 2 * z * now - before;
      before = now, now = next;
    }
  }
  for (size_t i = 0; i < s->m; i++)
    r[i] = NAME(square)(s, r[i]);
  for (size_t j = 0; j < s->n && s->g; j++) { /* T'_i+1 = 4 T_i + 2 z T'_i - T'_i-1 */
    const scalar z = 2 * s->x[j] - 1;
    scalar before = 1, now = z, slope_before = 0, slope = 2, sum = 0;
    for (size_t i = 0; i < s->m; i++) {
      sum += OMITTED(r[i]) ? 0 : r[i] * slope;
      const scalar next = 2 * z * now - before, slope_next = 4 * now + 2 * z * slope - slope_before;
      before = now, now = next;
      slope_before = slope, slope = slope_next;
    }
    s->g[j] += sum / n;
  }
}
#undef TERM
