// SPDX-License-Identifier: BSD-3-Clause
// The C++ consumer: a problem whose callback reads a C++ object.
#include <cmath>
#include <cstdio>
#include <l2o/l2o.h>
#include <vector>

namespace {
struct Bowl {
  std::vector<l2o_real> centre;
};

l2o_status bowl(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *) {
  const auto &centre = static_cast<const Bowl *>(p->data)->centre;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    const l2o_real d = x[i] - centre[i];
    *f += static_cast<double>(d * d);
    g[i] = 2 * d;
  }
  return L2O_OK;
}
} // namespace

int main() {
  const Bowl data{{3, -1, 2}};
  l2o_problem_ops ops{};
  ops.struct_size = sizeof ops;
  ops.name = "bowl";
  ops.gradient = bowl;
  l2o_problem problem{};
  problem.ops = &ops;
  problem.data = &data;
  problem.n = data.centre.size();
  l2o_settings settings = l2o_settings_default();
  settings.options = "step=0.25";
  settings.iterations = 100;
  std::vector<l2o_real> x(problem.n);
  if (l2o_minimize(l2o_solver_find("gd", nullptr), nullptr, &problem, x.data(), nullptr, &settings, nullptr) != L2O_OK) return 1;
  for (size_t i = 0; i < x.size(); i++)
    if (std::fabs(static_cast<double>(x[i] - data.centre[i])) > 1e-5) return 1;
  std::printf("libl2o %s from C++, %zu bytes a real\n", l2o_version(), sizeof(l2o_real));
  return 0;
}
