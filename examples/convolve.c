/* One convolution through Convoy's C interface, on random data, a few results checked against a plain loop.
 *
 *   cc convolve.c $(pkg-config --cflags --libs convoy) && ./a.out [DEVICE]
 *
 * Exit status: 0 right numbers, 1 anything else. */
#include <convoy/convoy.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Every call that can fail returns a status; convoy_last_error() tells what to do about it. */
#define TRY(call)                                                                               \
  do {                                                                                          \
    const convoy_status status_ = (call);                                                       \
    if (status_ != CONVOY_SUCCESS) {                                                            \
      fprintf(stderr, "%s: %s: %s\n", #call, convoy_status_name(status_), convoy_last_error()); \
      goto done;                                                                                \
    }                                                                                           \
  } while (0)

static float* random_floats(int64_t bytes) {
  const size_t count = (size_t)bytes / sizeof(float);
  float* data = malloc((size_t)bytes);
  size_t i;
  for (i = 0; data != NULL && i < count; ++i) data[i] = (float)rand() / (float)RAND_MAX - 0.5F;
  return data;
}

/* One element of y as the definition has it. All tensors are packed: x is n c h w, the filter k c r s. */
static double expected(const convoy_problem_desc* d, const float* x, const float* w, const int64_t at[4]) {
  double sum = 0;
  int64_t c, r, s;
  for (c = 0; c < d->c; ++c) {
    for (r = 0; r < d->filter[0]; ++r) {
      for (s = 0; s < d->filter[1]; ++s) {
        const int64_t h = at[2] * d->stride[0] + r * d->dilation[0] - d->pad[0];
        const int64_t v = at[3] * d->stride[1] + s * d->dilation[1] - d->pad[1];
        if (h < 0 || h >= d->in[0] || v < 0 || v >= d->in[1]) continue;
        sum += (double)x[((at[0] * d->c + c) * d->in[0] + h) * d->in[1] + v] *
               w[((at[1] * d->c + c) * d->filter[0] + r) * d->filter[1] + s];
      }
    }
  }
  return sum;
}

/* Compares a dozen elements spread over y; returns how many are wrong. */
static int count_wrong(const convoy_problem_desc* d, const int64_t size[4], const float* x, const float* w,
                       const float* y) {
  const int64_t elements = size[0] * size[1] * size[2] * size[3];
  int wrong = 0, i;
  for (i = 0; i < 12; ++i) {
    const int64_t index = i * (elements - 1) / 11;
    int64_t at[4];
    double want;
    at[3] = index % size[3];
    at[2] = index / size[3] % size[2];
    at[1] = index / (size[3] * size[2]) % size[1];
    at[0] = index / (size[3] * size[2] * size[1]);
    want = expected(d, x, w, at);
    /* Written so that NaN is wrong too. */
    if (!(fabs(y[index] - want) <= 1e-4 * (1 + fabs(want)))) {
      fprintf(stderr, "y[%" PRId64 "] is %g, expected %g\n", index, (double)y[index], want);
      ++wrong;
    }
  }
  return wrong;
}

int main(int argc, char** argv) {
  static const char* const tiers[] = {"vendor", "own", "generic", "cpu", "reference"};
  convoy_handle handle = NULL;
  convoy_problem problem = NULL;
  convoy_plan plan = NULL;
  float *x = NULL, *w = NULL, *y = NULL;                            /* the host's */
  void *on_x = NULL, *on_w = NULL, *on_y = NULL, *workspace = NULL; /* the device's */
  int64_t x_bytes, w_bytes, y_bytes, workspace_bytes, size[5];
  convoy_statistics statistics;
  int exit_status = EXIT_FAILURE;

  /* Which convolution: start from the defaults (forward, f32, channels first, 2-D) and set what differs. */
  convoy_problem_desc desc = convoy_problem_desc_default();
  desc.n = 2;
  desc.c = 16;
  desc.k = 32;
  desc.in[0] = 28; /* height, then width */
  desc.in[1] = 30;
  desc.filter[0] = desc.filter[1] = 3;
  desc.pad[0] = desc.pad[1] = 1;
  desc.stride[0] = desc.stride[1] = 2;

  /* A handle opens the best device and what is remembered about it. A program needs one, and keeps it. */
  TRY(convoy_create(&handle, argc > 1 ? argv[1] : "auto", NULL));
  TRY(convoy_problem_create(&problem, &desc));
  TRY(convoy_plan_create(&plan, handle, problem));

  /* Optional: choose now rather than in the first run, and learn how much workspace the choice can use. */
  TRY(convoy_plan_prepare(plan));
  workspace_bytes = convoy_plan_workspace_bytes(plan);
  TRY(convoy_allocate(handle, workspace_bytes, &workspace));

  x_bytes = convoy_problem_bytes(problem, CONVOY_X);
  w_bytes = convoy_problem_bytes(problem, CONVOY_W);
  y_bytes = convoy_problem_bytes(problem, CONVOY_Y);
  x = random_floats(x_bytes);
  w = random_floats(w_bytes);
  y = malloc((size_t)y_bytes);
  if (x == NULL || w == NULL || y == NULL) {
    fprintf(stderr, "out of memory\n");
    goto done;
  }

  /* Tensors live in the device's memory. On "cpu" that is the host's: x, w and y themselves would do. */
  TRY(convoy_allocate(handle, x_bytes, &on_x));
  TRY(convoy_allocate(handle, w_bytes, &on_w));
  TRY(convoy_allocate(handle, y_bytes, &on_y));
  TRY(convoy_upload(handle, on_x, x, x_bytes, NULL));
  TRY(convoy_upload(handle, on_w, w, w_bytes, NULL));
  TRY(convoy_run(plan, on_x, on_w, on_y, workspace, workspace_bytes));
  TRY(convoy_download(handle, y, on_y, y_bytes, NULL));

  TRY(convoy_problem_sizes(problem, CONVOY_Y, size));
  if (count_wrong(&desc, size, x, w, y) > 0) goto done;

  TRY(convoy_get_statistics(handle, &statistics));
  printf("%s\n  right numbers on %s by %s (tier %s), %" PRId64 " bytes of workspace\n", convoy_problem_string(problem),
         convoy_device_name(handle), convoy_plan_solver(plan), tiers[convoy_plan_tier(plan)], workspace_bytes);
  printf("  %" PRId64 " problem, %" PRId64 " call, %" PRId64 " fallbacks\n", statistics.problems, statistics.calls,
         statistics.fallbacks);
  exit_status = EXIT_SUCCESS;

done: /* NULL is fine for every one of these. */
  convoy_free(handle, workspace);
  convoy_free(handle, on_y);
  convoy_free(handle, on_w);
  convoy_free(handle, on_x);
  free(y);
  free(w);
  free(x);
  convoy_plan_destroy(plan);
  convoy_problem_destroy(problem);
  convoy_destroy(handle);
  return exit_status;
}
