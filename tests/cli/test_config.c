/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration and the command lines: values, defaults, and for every mistake the one sentence that a user reads. */
#include "l2o_test.h"

#include "args.h"
#include "config.h"
#include <unistd.h>

#define QP "problem: {family: qp, n: 4}\n"
#define MGH "problem: {family: more-garbow-hillstrom"

static config *parse(const char *text, const char *const *sets, size_t count, message *error) {
  *error = (message){""};
  return config_parse(text, strlen(text), "run.yaml", sets, count, error);
}

static config *parse_good(const char *text, const char *const *sets, size_t count) {
  message error;
  config *c = parse(text, sets, count, &error);
  if (!c)
    print_error("%s\n", error.text);
  assert_non_null(c);
  return c;
}

static char *written(const config *c) {
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  assert_true(config_write(c, out));
  assert_int_equal(fclose(out), 0);
  return text;
}

/* the example that the documentation begins with */
static const char sketch[] =
    "problem: {family: qp, n: 32, m: 20, instances: 16, seed: 777, sampler: philox}     # a remark\n"
    "model:   {kind: math-l2o-gd, hidden: 64, expansion: 100, features: [x, grad], scale: sigmoid2, step_scale: 0.9999}\n"
    "train:   {steps: 2000, horizon: 60, loss: mean, reduction: sum, optimizer: {name: sgd, lr: 1.0e-3}}\n"
    "eval:    {iterations: 50, seed: 900001, instances: 256, solvers: [gd, \"gd:step=0.5,label=half\"], tolerances: [1.0e-2, "
    "1.0e-4]}\n";

static void values_and_defaults(void **state) {
  (void)state;
  config *c = parse_good(sketch, NULL, 0);
  assert_int_equal(config_integer(c, "problem.seed"), 777);
  assert_int_equal(config_integer(c, "problem.n"), 32);
  assert_int_equal(config_integer(c, "train.steps"), 2000);
  assert_true(config_real(c, "train.optimizer.lr") == 1e-3);
  assert_int_equal(config_choice(c, "train.optimizer.name"), 0);
  assert_string_equal(config_text(c, "train.loss"), "mean");
  assert_true(config_is(c, "train.reduction", "sum"));
  assert_int_equal(config_list(c, "eval.solvers"), 2);
  assert_string_equal(config_list_text(c, "eval.solvers", 1), "gd:step=0.5,label=half");
  assert_true(config_list_real(c, "eval.tolerances", 1) == 1e-4);
  assert_string_equal(config_family_name(c, true), "qp");
  assert_null(config_family_file(c, true));
  assert_non_null(strstr(config_model_spec(c), "features=x+grad"));
  assert_non_null(strstr(config_family_spec(c, false), "qp:n=32,m=20"));
  /* defaults, some of which follow other keys */
  assert_int_equal(config_integer(c, "train.batch"), 16);
  assert_int_equal(config_integer(c, "train.unroll"), 60);
  assert_int_equal(config_integer(c, "train.seed"), 777);
  assert_int_equal(config_integer(c, "train.validation.seed"), 777);
  assert_int_equal(config_integer(c, "eval.seed"), 900001);
  assert_int_equal(config_integer(c, "model.seed"), 0);
  assert_string_equal(config_text(c, "train.solver"), "math-l2o-gd");
  assert_string_equal(config_text(c, "train.precision"), "single");
  assert_string_equal(config_text(c, "eval.precision"), "double");
  assert_non_null(config_text(c, "eval.gap"));
  assert_true(config_real(c, "train.regularisation") == 0);
  assert_null(config_text(c, "output.dir"));
  assert_false(config_flag(c, "output.plot"));
  /* where they are from */
  assert_string_equal(config_where(c, "train.steps"), "run.yaml:3");
  assert_string_equal(config_where(c, "train.batch"), "default");
  assert_true(config_given(c, "train") && config_given(c, "train.optimizer") && config_given(c, "train.steps"));
  assert_false(config_given(c, "output") || config_given(c, "train.batch") || config_given(c, "train.opt"));
  config_free(c);
  config_free(NULL);
}

/* The rule is the one that reads the model, and says which arithmetic training takes unless told otherwise. */
static void what_the_rule_decides(void **state) {
  (void)state;
  static const char gd[] = "problem: {family: qp}\nmodel: {kind: math-l2o-gd}\n",
                    bfgs[] = "problem: {family: qp}\nmodel: {kind: bfgs-lstm}\n";
  static const struct {
    const char *text, *set, *solver, *precision;
  } cases[] = {{gd, NULL, "math-l2o-gd", "single"},
               {gd, "train.precision=double", "math-l2o-gd", "double"},
               {bfgs, NULL, "l2o-bfgs", "double"},
               {bfgs, "train.precision=auto", "l2o-bfgs", "double"},
               {bfgs, "train.precision=single", "l2o-bfgs", "single"},
               {bfgs, "train.solver=math-l2o-gd", "math-l2o-gd", "single"},
               {bfgs, "train.solver=nobody", "nobody", "single"},
               {"problem: {family: qp}\nmodel: {kind: math-l2o-gd}\ntrain: {solver: l2o-bfgs}\n", NULL, "l2o-bfgs", "double"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    config *c = parse_good(cases[i].text, &cases[i].set, cases[i].set != NULL);
    assert_string_equal(config_text(c, "train.solver"), cases[i].solver);
    assert_string_equal(config_text(c, "train.precision"), cases[i].precision);
    char *text = written(c);
    config *again = parse_good(text, NULL, 0);
    assert_string_equal(config_text(again, "train.precision"), cases[i].precision);
    message difference;
    assert_true(config_identity_same(again, config_identity(c), &difference));
    config_free(again);
    config_free(c);
    free(text);
  }
  config *c = parse_good("problem: {family: qp}\n", NULL, 0);
  assert_null(config_text(c, "train.solver"));
  assert_string_equal(config_text(c, "train.precision"), "single");
  config_free(c);
}

/* The words of a long choice may be given by their numbers; what is kept and written is the word. */
static void words_have_numbers(void **state) {
  (void)state;
  static const struct {
    const char *text, *word;
  } cases[] = {{MGH ", function: 14}\n", "wood"},
               {MGH ", function: 1}\n", "rosenbrock"},
               {MGH ", function: 35}\n", "chebyquad"},
               {MGH ", function: wood}\n", "wood"},
               {MGH "}\n", "all"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    config *c = parse_good(cases[i].text, NULL, 0);
    assert_string_equal(config_text(c, "problem.function"), cases[i].word);
    char *text = written(c);
    config *again = parse_good(text, NULL, 0);
    assert_string_equal(config_text(again, "problem.function"), cases[i].word);
    config_free(again);
    config_free(c);
    free(text);
  }
  config *c = parse_good(MGH ", function: 14, start_factor: 10}\neval: {problem: {function: 20}}\n", NULL, 0);
  assert_string_equal(config_family_spec(c, false), "more-garbow-hillstrom:function=wood,start_factor=10");
  assert_string_equal(config_text(c, "eval.problem.function"), "watson");
  assert_string_equal(config_text(c, "eval.problem.start_factor"), "10");
  config_free(c);
}

static void sets_in_order(void **state) {
  (void)state;
  const char *sets[] = {"train.steps=5",
                        "seed=18446744073709551615",
                        "train.steps=6",
                        "--iterations eval.iterations=7",
                        "model.features=[grad]",
                        "eval.tolerances=[1e-3, 1e-5]",
                        "output.title=GD: fast # really",
                        "output.dir='quoted'",
                        "eval.instances=train",
                        "eval.solvers=gd",
                        "eval.problem={n: 8}"};
  config *c = parse_good(sketch, sets, sizeof sets / sizeof *sets);
  assert_int_equal(config_integer(c, "train.steps"), 6);
  assert_string_equal(config_where(c, "train.steps"), "--set");
  assert_int_equal(config_integer(c, "eval.iterations"), 7);
  assert_string_equal(config_where(c, "eval.iterations"), "--iterations");
  assert_true(config_integer(c, "seed") == UINT64_MAX && config_integer(c, "model.seed") == UINT64_MAX);
  assert_int_equal(config_integer(c, "train.seed"), 777);
  assert_string_equal(config_text(c, "model.features"), "grad");
  assert_string_equal(config_text(c, "output.title"), "GD: fast # really");
  assert_string_equal(config_text(c, "output.dir"), "quoted");
  assert_true(config_is(c, "eval.instances", "train"));
  assert_int_equal(config_integer(c, "eval.instances"), 0);
  assert_int_equal(config_list(c, "eval.solvers"), 1);
  assert_int_equal(config_integer(c, "problem.n"), 32);
  assert_int_equal(config_integer(c, "eval.problem.n"), 8);
  assert_int_equal(config_integer(c, "eval.problem.m"), 20);
  assert_non_null(strstr(config_family_spec(c, true), "n=8,m=20"));
  config_free(c);
}

static void another_family_for_evaluation(void **state) {
  (void)state;
  config *c = parse_good("problem: {family: qp, n: 6, m: 5, file: a.safetensors}\n"
                         "eval: {problem: {family: quadratic, condition: 10}}\n",
                         NULL, 0);
  assert_string_equal(config_family_name(c, false), "qp");
  assert_string_equal(config_family_spec(c, true), "quadratic:n=6,condition=10");
  assert_string_equal(config_family_file(c, false), "a.safetensors");
  assert_null(config_family_file(c, true));
  config_free(c);
  c = parse_good("problem: {family: qp, file: a.safetensors}\n", NULL, 0);
  assert_string_equal(config_family_file(c, true), "a.safetensors");
  config_free(c);
}

/* The evaluation is shifted as the problem is, unless it says otherwise; saying so leaves the rest as it was. */
static void shifts(void **state) {
  (void)state;
  config *c = parse_good("problem: {family: lasso}\n", NULL, 0);
  assert_true(config_real(c, "problem.shift.start") == 0 && config_real(c, "eval.problem.shift.function") == 0);
  assert_true(config_is(c, "problem.shift.prox", "correct") && config_is(c, "eval.problem.shift.prox", "correct"));
  config_free(c);
  const char *sets[] = {"problem.shift.start=-10.5", "problem.shift.prox=published"};
  c = parse_good("problem: {family: lasso, file: a.safetensors}\neval: {problem: {shift: {function: 20}}}\n", sets, 2);
  char *text = written(c);
  config *again = parse_good(text, NULL, 0);
  for (int i = 0; i < 2; i++) {
    const config *d = i ? again : c;
    assert_true(config_real(d, "problem.shift.start") == -10.5 && config_real(d, "problem.shift.function") == 0);
    assert_true(config_real(d, "eval.problem.shift.start") == -10.5 && config_real(d, "eval.problem.shift.function") == 20);
    assert_true(config_is(d, "eval.problem.shift.prox", "published"));
    assert_string_equal(config_family_file(d, true), "a.safetensors");
  }
  assert_string_equal(config_identity(c), config_identity(again));
  free(text);
  config_free(again);
  config_free(c);
  c = parse_good("problem: {family: qp, n: 6, file: a.safetensors}\neval: {problem: {n: 7, shift: {start: 1}}}\n", NULL, 0);
  assert_null(config_family_file(c, true));
  config_free(c);
}

static void written_reads_back(void **state) {
  (void)state;
  const char *sets[] = {"output.title=\"it's: 5\\u2028 # % \\\\ \"", "output.dir=null", "train.optimizer.lr=1.2345678901234567e-07",
                        "eval.problem.file=\"\"", "problem.file=with space.safetensors"};
  config *c = parse_good(sketch, sets, sizeof sets / sizeof *sets), *again;
  char *text = written(c);
  message difference = {""};
  again = parse_good(text, NULL, 0);
  if (!config_identity_same(again, config_identity(c), &difference))
    fail_msg("%s", difference.text);
  assert_string_equal(config_text(again, "output.title"), config_text(c, "output.title"));
  assert_string_equal(config_family_file(again, false), "with space.safetensors");
  assert_null(config_family_file(again, true));
  assert_null(config_text(again, "output.dir"));
  assert_true(config_real(again, "train.optimizer.lr") == 1.2345678901234567e-07);
  char *twice = written(again);
  assert_string_equal(text, twice);
  /* seeds that follow `seed` are left to follow it, so that --seed still works on a resolved configuration */
  const char *seed[] = {"seed=5"};
  config *reseeded = parse_good(text, seed, 1);
  assert_int_equal(config_integer(reseeded, "model.seed"), 5);
  config_free(reseeded);
  config_free(again);
  config_free(c);
  free(text);
  free(twice);
}

/* --resume may change steps at a constant learning rate, threads and output; nothing else. */
static void identity(void **state) {
  (void)state;
  config *c = parse_good(sketch, NULL, 0);
  static const struct {
    const char *set, *difference;
  } cases[] = {{"train.steps=9", NULL},
               {"train.threads=2", NULL},
               {"output.dir=elsewhere", NULL},
               {"train.optimizer.lr=0.001", NULL},
               {"train.batch=8", "train.batch: was 16, is 8"},
               {"train.seed=1", "train.seed: was 777, is 1"},
               {"train.precision=double", "train.precision: was single, is double"},
               {"train.schedule.name=cosine", "train.schedule.name: was constant, is cosine"},
               {"model.hidden=65", "model.hidden: was 64, is 65"},
               {"model.init=w.safetensors", "model.init: was nothing, is w.safetensors"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    message difference = {""};
    config *other = parse_good(sketch, &cases[i].set, 1);
    bool same = config_identity_same(other, config_identity(c), &difference);
    if (same != !cases[i].difference)
      fail_msg("%s: identity %s", cases[i].set, same ? "unchanged" : "changed");
    if (cases[i].difference)
      assert_string_equal(difference.text, cases[i].difference);
    config_free(other);
  }
  const char *cosine[] = {"train.schedule.name=cosine", "train.steps=9"};
  config *a = parse_good(sketch, cosine, 1), *b = parse_good(sketch, cosine, 2);
  message difference = {""};
  assert_false(config_identity_same(b, config_identity(a), &difference));
  assert_string_equal(difference.text, "train.steps: was 2000, is 9");
  assert_false(config_identity_same(b, "some other text", &difference));
  config_free(a);
  config_free(b);
  config_free(c);
}

/* Every mistake: the text, a set or NULL, and how the sentence begins. */
static void mistakes(void **state) {
  (void)state;
  static const struct {
    const char *text, *set, *sentence;
  } cases[] = {
      {QP "train:\n  stpes: 4\n", NULL, "run.yaml:3: train.stpes: unknown key; did you mean train.steps?"},
      {QP "trian:\n  steps: 4\n", NULL, "run.yaml:2: trian: unknown key; did you mean train?"},
      {QP "train: {lr: 4}\n", NULL, "run.yaml:2: train.lr: unknown key; did you mean train.optimizer.lr?"},
      {QP "fleet: 4\n", NULL, "run.yaml:2: fleet: unknown key; known here: seed, problem, model, train, eval, output"},
      {"problem: {family: qp, smapler: x}\n", NULL, "run.yaml:1: problem.smapler: unknown key; did you mean problem.sampler?"},
      {"problem: {family: qp, shift: 1}\n", NULL,
       "run.yaml:1: problem.shift: found a single value, expected keys below it: start, function, prox"},
      {"problem: {family: qp, shift: {strat: 1}}\n", NULL,
       "run.yaml:1: problem.shift.strat: unknown key; did you mean problem.shift.start?"},
      {QP, "problem.shift.start=far", "--set problem.shift.start: found far, expected a number"},
      {QP, "problem.shift.start=.inf", "--set problem.shift.start: found .inf, expected a number"},
      {QP, "eval.problem.shift.prox=wrong", "--set eval.problem.shift.prox: found wrong, expected one of correct, published"},
      {QP, "--sweep problem.n=5.5", "--sweep problem.n: found 5.5, expected an integer from 1 to"},
      {"problem: {family: qp, condition: 3}\n", NULL, "run.yaml:1: problem.condition: unknown key; known here: family, "},
      {QP "eval: {problem: {seed: 3}}\n", NULL, "run.yaml:2: eval.problem.seed: unknown key; did you mean eval.seed?"},
      {"problem: {family: qpp}\n", NULL, "run.yaml:1: problem.family: there is no family 'qpp'; did you mean 'qp'?"},
      {"problem: {n: 3}\n", NULL, "run.yaml:1: problem.family: missing, expected one of "},
      {"problem: {famly: qp}\n", NULL, "run.yaml:1: problem.famly: unknown key; did you mean problem.family?"},
      {QP "model: {seed: 1}\n", NULL, "run.yaml:2: model.kind: missing, expected one of math-l2o-gd"},
      {QP "model: {kind: math-l2o-dg}\n", NULL, "run.yaml:2: model.kind: there is no kind of model 'math-l2o-dg'; did you mean"},
      {MGH ", function: wodd}\n", NULL,
       "run.yaml:1: problem.function: found wodd, expected one of the 36 words that --help shows or a number from 1 to 35; did you "
       "mean wood?"},
      {MGH ", function: 36}\n", NULL,
       "run.yaml:1: problem.function: found 36, expected one of the 36 words that --help shows or a number from 1 to 35"},
      {MGH ", function: 1.0}\n", NULL, "run.yaml:1: problem.function: found 1.0, expected one of"},
      {MGH ", function: [wood]}\n", "problem.function=[wood, all]", "--set problem.function: found wood+all, expected one of"},
      {MGH ", start_factor: 2}\n", NULL, "run.yaml:1: problem.start_factor: found 2, expected one of 1, 10, 100"},
      {"problem: {family: qp, n: 0}\n", NULL, "run.yaml:1: problem.n: found 0, expected an integer from 1 to 1e6"},
      {"problem: {family: qp, n: -3}\n", NULL, "run.yaml:1: problem.n: found -3, expected an integer from 1 to 1e6"},
      {"problem: {family: qp, instances: 0}\n", NULL, "run.yaml:1: problem.instances: found 0, expected an integer from 1"},
      {QP "train: {steps: ten}\n", NULL, "run.yaml:2: train.steps: found ten, expected an integer from 0 to 1e9"},
      {QP "train: {steps: \"10\"}\n", NULL, "run.yaml:2: train.steps: found the text \"10\", expected an integer"},
      {QP "train: {steps: 1.5}\n", NULL, "run.yaml:2: train.steps: found 1.5, expected an integer"},
      {QP "train: {steps: 0x10}\n", NULL, "run.yaml:2: train.steps: found 0x10, expected an integer"},
      {QP "train: {seed: 18446744073709551616}\n", NULL, "run.yaml:2: train.seed: found 18446744073709551616, expected an integer"},
      {QP "train: {steps: }\n", NULL, "run.yaml:2: train.steps: found nothing, expected an integer"},
      {QP "train: {steps: [1]}\n", NULL, "run.yaml:2: train.steps: found a list, expected an integer"},
      {QP "train: {steps: {a: 1}}\n", NULL, "run.yaml:2: train.steps: found a section, expected an integer"},
      {QP "train: {optimizer: {lr: .nan}}\n", NULL, "run.yaml:2: train.optimizer.lr: found .nan, expected a number of at least 0"},
      {QP "train: {optimizer: {lr: nan}}\n", NULL, "run.yaml:2: train.optimizer.lr: found nan, expected a number"},
      {QP "train: {optimizer: {lr: 1e999}}\n", NULL, "run.yaml:2: train.optimizer.lr: found 1e999, expected a number"},
      {QP "train: {optimizer: {beta1: 1}}\n", NULL,
       "run.yaml:2: train.optimizer.beta1: found 1, expected a number from 0 to below 1"},
      {QP "train: {optimizer: adam}\n", NULL,
       "run.yaml:2: train.optimizer: found a single value, expected keys below it: name, lr"},
      {QP "train: [1]\n", NULL, "run.yaml:2: train: found a list, expected keys below it: solver"},
      {QP "train: {loss: lsat}\n", NULL, "run.yaml:2: train.loss: found lsat, expected one of last, mean, weighted"},
      {QP "train: {unroll: 200}\n", NULL, "run.yaml:2: train.unroll: found 200, expected at most train.horizon, which is 100"},
      {QP "model: {kind: math-l2o-gd, features: [x, x]}\n", NULL, "run.yaml:2: model.features: found x+x, expected one of grad+x"},
      {QP "eval: {tolerances: [0]}\n", NULL,
       "run.yaml:2: eval.tolerances: found 0, expected a list [a, b, ...] of numbers above 0"},
      {QP "eval: {solvers: []}\n", NULL, "run.yaml:2: eval.solvers: found an empty list, expected at least one solver"},
      {QP "eval: {solvers: [[gd]]}\n", NULL, "run.yaml:2: eval.solvers: found a list inside the list, expected"},
      {QP "eval: {solvers: [bfgs:a=b,c=d]}\n", NULL,
       "run.yaml:2: eval.solvers: \"c=d\" is no solver; quotes keep options together"},
      {QP "eval: {instances: 0}\n", NULL,
       "run.yaml:2: eval.instances: found 0, expected an integer from 1 to 1e9 or the word train"},
      {QP "output: {plot: yes}\n", NULL, "run.yaml:2: output.plot: found yes, expected true or false"},
      {QP "output: {dir: \"a\\0b\"}\n", NULL, "run.yaml:2: output.dir: found a control character (code 0) in the text"},
      {QP "train: {steps: 1}\neval: {seed: 1}\ntrain: {seed: 2}\n", NULL, "run.yaml:4: train: given twice, first at run.yaml:2"},
      {QP "train: {steps: 1, steps: 2}\n", NULL, "run.yaml:2: train.steps: given twice, first at run.yaml:2"},
      {"problem: &a {family: *a}\n", NULL, "run.yaml:1: problem.family: found a section, expected a text"},
      {"problem: &a {family: qp, <<: *a}\n", NULL, "run.yaml:1: problem.<<: merge keys are not supported"},
      {"&a [*a]\n", NULL, "run.yaml:1: found a list, expected the sections problem, model, train, eval, output"},
      {"just a text\n", NULL, "run.yaml:1: found a text, expected the sections"},
      {"", NULL, "run.yaml: empty; expected the sections"},
      {"# nothing\n", NULL, "run.yaml: empty; expected the sections"},
      {"? [a]\n: b\n", NULL, "run.yaml:1: found a key that is not a word"},
      {QP "---\n" QP, NULL, "run.yaml:3: found a second document, expected one"},
      {"a: [1\n", NULL, "run.yaml:2: not valid YAML: "},
      {"a\xff: 1\n", NULL, "run.yaml: not UTF-8 text: "},
      {QP, "eval.iteratoins=3", "--set eval.iteratoins: unknown key; did you mean eval.iterations?"},
      {QP, "trian.steps=3", "--set trian.steps: unknown key; did you mean train.steps?"},
      {QP, "nonsense=1", "--set nonsense: unknown key; known here: seed, problem"},
      {QP, "eval.iterations=x", "--set eval.iterations: found x, expected an integer"},
      {QP, "eval.iterations", "--set eval.iterations: expected key.path=value"},
      {QP, "=3", "--set =3: expected key.path=value"},
      {QP, "eval.tolerances=[1", "--set eval.tolerances: not valid YAML: "},
      {QP, "output.title=\xff", "--set output.title: found a text that is not UTF-8"},
      {QP, "--steps train.steps=-1", "--steps: found -1, expected an integer from 0 to 1e9"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    message error;
    config *c = parse(cases[i].text, &cases[i].set, cases[i].set != NULL, &error);
    if (c || strncmp(error.text, cases[i].sentence, strlen(cases[i].sentence)) != 0 || strchr(error.text, '\n'))
      fail_msg("%s\n  said     '%s'\n  expected '%s'", cases[i].text, error.text, cases[i].sentence);
  }
}

static void files(void **state) {
  (void)state;
  message error;
  assert_null(config_load("/nonexistent/run.yaml", NULL, 0, &error));
  assert_string_equal(error.text, "/nonexistent/run.yaml: cannot open the configuration: No such file or directory");
  assert_null(config_load("/", NULL, 0, &error));
  assert_string_equal(error.text, "/: cannot read the configuration: Is a directory");
  /* a data file named by mistake */
  size_t size = 2 << 20;
  char *zeros = calloc(1, size);
  assert_null(config_parse(zeros, size, "data.bin", NULL, 0, &error));
  assert_non_null(strstr(error.text, "data.bin: "));
  memset(zeros, '[', size);
  assert_null(config_parse(zeros, 100000, "deep.yaml", NULL, 0, &error));
  assert_string_equal(error.text, "deep.yaml: lists and sections nest deeper than 16 levels");
  char *end = zeros;
  for (int i = 0; i < 5000; i++)
    end += sprintf(end, "key%d: 1\n", i);
  assert_null(config_parse(zeros, (size_t)(end - zeros), "wide.yaml", NULL, 0, &error));
  assert_string_equal(error.text, "wide.yaml:1001: more than 1000 keys are too many for a configuration");
  free(zeros);
}

/* ---- command lines ---- */

typedef struct outcome {
  bool go_on;
  int code;
  cli_args a;
  char *out, *err;
} outcome;

/* Words are separated by '|'. */
static outcome command_line(cli_command which, const char *words) {
  outcome o = {.code = -1};
  char text[512], *argv[32];
  int argc = 0;
  snprintf(text, sizeof text, "%s", words);
  static char program[] = "program";
  argv[argc++] = program;
  for (char *at = text; *at && argc < 31; argc++) {
    argv[argc] = strdup(at);
    argv[argc][strcspn(at, "|")] = '\0';
    at += strcspn(at, "|");
    at += *at == '|';
  }
  argv[argc] = NULL;
  size_t out_length, err_length;
  FILE *out = open_memstream(&o.out, &out_length), *err = open_memstream(&o.err, &err_length);
  o.go_on = args_parse(&o.a, which, argc, argv, NULL, out, err, &o.code);
  fclose(out);
  fclose(err);
  /* what points into argv is compared by the caller before finish() */
  for (int i = 1; i < argc; i++)
    if (argv[i] != o.a.config && (!o.a.dump_iterates || !strstr(argv[i], o.a.dump_iterates)))
      free(argv[i]);
  return o;
}

static void finish(outcome *o) {
  free((char *)(uintptr_t)o->a.config);
  args_free(&o->a);
  free(o->out);
  free(o->err);
}

static void flags_become_sets(void **state) {
  (void)state;
  outcome o = command_line(COMMAND_EVAL, "--iterations|50|run.yaml|--set|train.steps=3|--tolerance=1e-1,1e-3|--json|--solver|"
                                         "gd:step=1,label=it's|--solver=nesterov|--seed|9");
  assert_true(o.go_on);
  assert_string_equal(o.a.config, "run.yaml");
  static const char *const expected[] = {
      "--iterations eval.iterations=50", "train.steps=3", "--tolerance eval.tolerances=[1e-1,1e-3]",
      "--json output.json=true",         "--seed seed=9", "--solver eval.solvers=['gd:step=1,label=it''s', 'nesterov']"};
  assert_int_equal(o.a.set_count, sizeof expected / sizeof *expected);
  for (size_t i = 0; i < o.a.set_count; i++)
    assert_string_equal(o.a.sets[i], expected[i]);
  config *c = parse_good(QP, (const char *const *)o.a.sets, o.a.set_count);
  assert_string_equal(config_list_text(c, "eval.solvers", 0), "gd:step=1,label=it's");
  assert_int_equal(config_list(c, "eval.tolerances"), 2);
  assert_true(config_flag(c, "output.json"));
  assert_string_equal(config_where(c, "seed"), "--seed");
  config_free(c);
  finish(&o);
}

/* Every flag that stands for a key names one that exists. */
static void flags_name_keys(void **state) {
  (void)state;
  config *c = parse_good(QP, NULL, 0);
  for (const cli_flag *f = args_flags; f->name; f++)
    if (f->key)
      assert_string_equal(config_where(c, f->key), "default");
  config_free(c);
}

static void wrong_use(void **state) {
  (void)state;
  static const struct {
    cli_command command;
    const char *words, *sentence;
  } cases[] = {
      {COMMAND_TRAIN, "", "l2o-train: which experiment? Name a config: l2o-train CONFIG.yaml\ntry 'l2o-train --help'\n"},
      {COMMAND_TRAIN, "a|b", "l2o-train: unexpected argument b; the config is a already\ntry"},
      {COMMAND_TRAIN, "a|--stpes|3", "l2o-train: unknown option --stpes; did you mean --steps?\ntry"},
      {COMMAND_TRAIN, "a|--iterations|3", "l2o-train: --iterations belongs to l2o-eval\ntry"},
      {COMMAND_EVAL, "a|-q", "l2o-eval: unknown option -q\ntry"},
      {COMMAND_EVAL, "a|--out", "l2o-eval: --out needs a value: --out DIR\ntry"},
      {COMMAND_EVAL, "a|--out|--quiet", "l2o-eval: --out needs a value: --out DIR\ntry"},
      {COMMAND_EVAL, "a|--out=", "l2o-eval: --out needs a value: --out DIR\ntry"},
      {COMMAND_EVAL, "a|--plot=1", "l2o-eval: --plot takes no value\ntry"},
      {COMMAND_EVAL, "a|--solver|h0=scaled", "l2o-eval: --solver: \"h0=scaled\" is no solver, expected NAME[:key=value,...]\ntry"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    outcome o = command_line(cases[i].command, cases[i].words);
    if (o.go_on || o.code != EXIT_WRONG_USE || *o.out || strncmp(o.err, cases[i].sentence, strlen(cases[i].sentence)) != 0)
      fail_msg("%s\n  said     %d '%s'\n  expected '%s'", cases[i].words, o.code, o.err, cases[i].sentence);
    finish(&o);
  }
}

/* The help texts fit a terminal of 80 columns, and name what there is. */
static void help(void **state) {
  (void)state;
  static const struct {
    const char *words, *contains;
  } cases[] = {{"--help", "\n  --set key.path=value"}, {"--help", "problem.n"},        {"a|--version", "l2o-"},
               {"--list-solvers", "\n  gd "},          {"--list-families", "\n  qp "}, {"--list-models", "\n  math-l2o-gd "}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (cli_command which = COMMAND_TRAIN; which <= COMMAND_EVAL; which++) {
      outcome o = command_line(which, cases[i].words);
      assert_false(o.go_on);
      assert_int_equal(o.code, EXIT_DONE);
      assert_string_equal(o.err, "");
      if (!strstr(o.out, cases[i].contains))
        fail_msg("%s: no '%s' in\n%s", cases[i].words, cases[i].contains, o.out);
      for (const char *line = o.out; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 80)
          fail_msg("%s: too long: %.*s", cases[i].words, (int)strcspn(line, "\n"), line);
      finish(&o);
    }
  outcome o = command_line(COMMAND_EVAL, "--help");
  for (const cli_flag *f = args_flags; f->name; f++)
    assert_true(!(f->commands & 1u << COMMAND_EVAL) || strstr(o.out, f->name));
  finish(&o);
}

static void solver_specs(void **state) {
  (void)state;
  solver_spec s;
  message error;
  assert_true(solver_spec_parse("gd", &s, &error));
  assert_string_equal(s.name, "gd");
  assert_string_equal(s.label, "gd");
  assert_string_equal(s.options, "");
  assert_null(s.model);
  solver_spec_free(&s);
  assert_true(solver_spec_parse("math-l2o-gd:guard=off,model=/a/b=c.safetensors,step=2,label=ours (A)", &s, &error));
  assert_string_equal(s.name, "math-l2o-gd");
  assert_string_equal(s.label, "ours (A)");
  assert_string_equal(s.options, "guard=off,step=2");
  assert_string_equal(s.model, "/a/b=c.safetensors");
  solver_spec_free(&s);
  static const char *const bad[][2] = {{"", "\"\" is no solver"},
                                       {":a=b", "\":a=b\" is no solver"},
                                       {"g d", "\"g d\" is no solver"},
                                       {"gd,nesterov", "\"gd,nesterov\" is no solver"},
                                       {"gd:", "gd: found \"\", expected key=value"},
                                       {"gd:a=1,", "gd: found \"\", expected key=value"},
                                       {"gd:a", "gd: found \"a\", expected key=value"},
                                       {"gd:=1", "gd: found \"=1\", expected key=value"},
                                       {"gd:label=", "gd: nothing behind label="},
                                       {"gd:model=a,model=b", "gd: model= given twice"},
                                       {"gd:label=a\"b", "a solver is NAME[:key=value,...] on one line"},
                                       {"gd:label=a\nb", "a solver is NAME[:key=value,...] on one line"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_false(solver_spec_parse(bad[i][0], &s, &error));
    if (strncmp(error.text, bad[i][1], strlen(bad[i][1])) != 0)
      fail_msg("%s: said '%s'", bad[i][0], error.text);
    assert_null(s.name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_and_defaults),
      cmocka_unit_test(what_the_rule_decides),
      cmocka_unit_test(words_have_numbers),
      cmocka_unit_test(sets_in_order),
      cmocka_unit_test(another_family_for_evaluation),
      cmocka_unit_test(shifts),
      cmocka_unit_test(written_reads_back),
      cmocka_unit_test(identity),
      cmocka_unit_test(mistakes),
      cmocka_unit_test(files),
      cmocka_unit_test(flags_become_sets),
      cmocka_unit_test(flags_name_keys),
      cmocka_unit_test(wrong_use),
      cmocka_unit_test(help),
      cmocka_unit_test(solver_specs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
