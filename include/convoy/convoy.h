/* Convoy, C interface. Every convolution finishes, with the right numbers.
 *
 * A handle opens a device and remembers what worked there. A problem says which convolution; a plan is a problem on a
 * handle. The first convoy_run() of a plan chooses how to compute it (it may try candidates in a child process, time them
 * and check their numbers); later runs only compute. When a chosen way fails, the next best one computes in the same call.
 *
 * Conventions
 * - Every function that can fail returns convoy_status; convoy_last_error() tells more, per thread.
 * - Objects are made by ..._create and freed by ..._destroy (NULL allowed). The caller owns them. A plan keeps what it needs
 *   of its handle alive; destroy in any order.
 * - A handle and its plans may be used from several threads at once; a problem is immutable. Two threads may run one plan at
 *   the same time when their output tensors and workspaces differ.
 * - Nothing is printed unless convoy_set_log() asks; nothing aborts or exits; no exception leaves the library.
 * - Sizes are elements, workspaces bytes. Strings are UTF-8, valid as long as the object they came from.
 *
 * Sizes and layouts: x is n c [d] [h] w, the filter w is k c/groups [t] [r] s (transposed: c k/groups ...), y is n k ...
 * Element types: all tensors have the problem's, except int8, whose y is int32 (forward only).
 */
#ifndef CONVOY_CONVOY_H
#define CONVOY_CONVOY_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define CONVOY_API
#else
#define CONVOY_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_MAX_RANK 3

/* Numbers are fixed for ever. */
typedef enum convoy_status {
  CONVOY_SUCCESS = 0,
  CONVOY_INVALID_ARGUMENT = 1, /* the caller's input is wrong */
  CONVOY_UNSUPPORTED = 2,      /* valid, but nothing here serves it */
  CONVOY_OUT_OF_MEMORY = 3,
  CONVOY_IO = 4,
  CONVOY_DEVICE = 5,   /* the device or its runtime failed, and so did every way round it */
  CONVOY_INTERNAL = 6, /* a bug of ours */
  CONVOY_INTERRUPTED = 7
} convoy_status;

typedef enum convoy_direction {
  CONVOY_FORWARD = 0,          /* y from x and w */
  CONVOY_BACKWARD_DATA = 1,    /* x (its gradient) from w and y */
  CONVOY_BACKWARD_WEIGHTS = 2  /* w (its gradient) from x and y */
} convoy_direction;

typedef enum convoy_dtype {
  CONVOY_F32 = 0,
  CONVOY_F16 = 1,
  CONVOY_BF16 = 2,
  CONVOY_F64 = 3,
  CONVOY_I8 = 4,
  CONVOY_I32 = 5 /* output of int8 problems only */
} convoy_dtype;

typedef enum convoy_layout {
  CONVOY_CHANNELS_FIRST = 0, /* ncw, nchw, ncdhw */
  CONVOY_CHANNELS_LAST = 1   /* nwc, nhwc, ndhwc */
} convoy_layout;

typedef enum convoy_tensor { CONVOY_X = 0, CONVOY_W = 1, CONVOY_Y = 2 } convoy_tensor;

typedef enum convoy_tier {
  CONVOY_TIER_VENDOR = 0,
  CONVOY_TIER_OWN = 1,
  CONVOY_TIER_GENERIC = 2,
  CONVOY_TIER_CPU = 3,
  CONVOY_TIER_REFERENCE = 4
} convoy_tier;

typedef struct convoy_handle_s* convoy_handle;
typedef struct convoy_problem_s* convoy_problem;
typedef struct convoy_plan_s* convoy_plan;

/* --- errors, version, log ------------------------------------------------------------------------------------------ */

/* "0.1.0" */
CONVOY_API const char* convoy_version(void);
/* "CONVOY_OUT_OF_MEMORY"; never NULL. */
CONVOY_API const char* convoy_status_name(convoy_status status);
/* What went wrong in this thread's last failed call, with the cure where there is one. "" when nothing has. Valid until
 * the thread's next failing call. */
CONVOY_API const char* convoy_last_error(void);
/* Lines for `callback` from now on, process-wide; NULL silences. level: 0 what the settings say (quiet, if nothing), 1
 * quiet, 3 errors, 4 warnings, 5 one line per decision, 6 and 7 more (MIOpen's scale). The callback may be called from any thread, one line at a time; it must not
 * call Convoy. `text` is valid during the call only. */
typedef void (*convoy_log_callback)(int level, const char* text, void* user);
CONVOY_API convoy_status convoy_set_log(convoy_log_callback callback, void* user, int level);

/* --- handle -------------------------------------------------------------------------------------------------------- */

/* device: "cpu", "hip", "hip:1", "cuda", "opencl:0" (docs/devices.md), or "auto" or NULL for the best one here. settings: NULL, or an array ended by NULL of "key=value" texts
 * that override configuration files and environment (`convoy settings` lists the keys). */
CONVOY_API convoy_status convoy_create(convoy_handle* handle, const char* device, const char* const* settings);
CONVOY_API void convoy_destroy(convoy_handle handle);
/* "cpu", "cuda:0"; valid as long as the handle. */
CONVOY_API const char* convoy_device_name(convoy_handle handle);

/* --- memory of the handle's device ---------------------------------------------------------------------------------- */

/* Tensors live in memory of the handle's device: host memory on cpu; on hip and cuda any memory of that device, whoever
 * allocated it; on opencl a cl_mem that convoy_allocate() made. These calls spare a program the device's own interface.
 * Memory is freed by convoy_free() while its handle lives. Copies and convoy_synchronize() wait for what `stream` holds;
 * it is a hipStream_t, CUstream or cl_command_queue of the handle's device, NULL for the default one. */
CONVOY_API convoy_status convoy_allocate(convoy_handle handle, int64_t bytes, void** memory);
CONVOY_API void convoy_free(convoy_handle handle, void* memory);
CONVOY_API convoy_status convoy_upload(convoy_handle handle, void* to, const void* from, int64_t bytes, void* stream);
CONVOY_API convoy_status convoy_download(convoy_handle handle, void* to, const void* from, int64_t bytes, void* stream);
CONVOY_API convoy_status convoy_synchronize(convoy_handle handle, void* stream);

/* --- problem ------------------------------------------------------------------------------------------------------- */

/* Spatial arrays hold `rank` numbers, outermost first ({h, w} for rank 2). Start from convoy_problem_desc_default(). */
typedef struct convoy_problem_desc {
  convoy_direction direction;
  convoy_dtype dtype;
  convoy_layout layout;
  int rank; /* 1 to 3 */
  int64_t n, c, k, groups;
  int64_t in[CONVOY_MAX_RANK];
  int64_t filter[CONVOY_MAX_RANK];
  int64_t pad[CONVOY_MAX_RANK];
  int64_t stride[CONVOY_MAX_RANK];
  int64_t dilation[CONVOY_MAX_RANK];
  int transposed;                       /* 0 or 1 */
  int64_t output_pad[CONVOY_MAX_RANK];  /* transposed only */
} convoy_problem_desc;

/* Forward, f32, channels first, rank 2, everything 1, pads 0. */
CONVOY_API convoy_problem_desc convoy_problem_desc_default(void);
CONVOY_API convoy_status convoy_problem_create(convoy_problem* problem, const convoy_problem_desc* desc);
/* From a canonical string such as "fwd:f32:nchw:n1c3h32w32:k8r3s3:pad1x1:stride1x1:dil1x1:g1" (docs/problems.md), which can
 * also carry explicit strides. */
CONVOY_API convoy_status convoy_problem_parse(convoy_problem* problem, const char* text);
CONVOY_API void convoy_problem_destroy(convoy_problem problem);
/* The canonical string; valid as long as the problem. */
CONVOY_API const char* convoy_problem_string(convoy_problem problem);
/* Logical sizes of a tensor: 2 + rank numbers into `sizes` (room for 5). */
CONVOY_API convoy_status convoy_problem_sizes(convoy_problem problem, convoy_tensor tensor, int64_t* sizes);
/* Bytes from the tensor's first to its last element; 0 for an empty batch. */
CONVOY_API int64_t convoy_problem_bytes(convoy_problem problem, convoy_tensor tensor);

/* --- plan ---------------------------------------------------------------------------------------------------------- */

/* Cheap: nothing is chosen yet. Plans for equal problems on one handle share their choice. */
CONVOY_API convoy_status convoy_plan_create(convoy_plan* plan, convoy_handle handle, convoy_problem problem);
CONVOY_API void convoy_plan_destroy(convoy_plan plan);
/* Chooses now, on random tensors of the problem's size that are freed again: for callers who want the cost before the
 * first run, or workspace_bytes. Does nothing once chosen. */
CONVOY_API convoy_status convoy_plan_prepare(convoy_plan plan);
/* Bytes of workspace that spare convoy_run() the use of its own memory; 0 before the choice. */
CONVOY_API int64_t convoy_plan_workspace_bytes(convoy_plan plan);
/* The solver that serves the plan now ("" before the choice; valid until the thread's next call of this function), and
 * its tier. */
CONVOY_API const char* convoy_plan_solver(convoy_plan plan);
CONVOY_API convoy_tier convoy_plan_tier(convoy_plan plan);
/* Computes. x, w, y: memory of the handle's device. The output tensor (y, x or w by direction) is overwritten, the others
 * are read. workspace: NULL, or 64-byte aligned memory of workspace_bytes; too little is as good as none. Returns when the
 * output is complete. */
CONVOY_API convoy_status convoy_run(convoy_plan plan, void* x, void* w, void* y, void* workspace, int64_t workspace_bytes);

/* One call on a stream. Start from zeros ({0}). */
typedef struct convoy_call {
  void* x;
  void* w;
  void* y;
  const void* bias; /* one number of the output's type for each output channel, added to it; NULL: none. Not with
                       CONVOY_BACKWARD_WEIGHTS */
  void* workspace;  /* as in convoy_run() */
  int64_t workspace_bytes;
  void* stream; /* hipStream_t, CUstream, cl_command_queue; NULL: the default one. Nothing on cpu */
  void* context; /* for the external of the plan: which call this is. NULL where it has none */
} convoy_call;

/* As convoy_run(), but on a GPU only queues the work on call->stream once the choice is made (by an earlier run or
 * convoy_plan_prepare()): nothing is allocated or waited for, and a graph may record it, if `workspace` is the caller's.
 * Solvers of the tiers cpu and reference compute on the host and return when done; a graph cannot record them. */
CONVOY_API convoy_status convoy_enqueue(convoy_plan plan, const convoy_call* call);

/* --- a way to compute of your own ------------------------------------------------------------------------------------ */

/* A plan can have a candidate more, which you bring along: a framework's own convolution. It is tried before others of its
 * tier, its numbers are checked, what goes wrong is remembered under `id` and `library`, and the next best computes then. */
typedef struct convoy_external {
  const char* id;       /* a-z, 0-9, _; stands in databases: never another's */
  const char* library;  /* what computes, with versions and modes: whatever changes it makes old verdicts void */
  const char* stand_in; /* solver that is tried in a child in its place, because it calls the same library; NULL: none
                           can be had, and it is trusted */
  convoy_tier tier;     /* CONVOY_TIER_REFERENCE is not possible */
  double allowance;     /* error that is allowed beside rounding, in units of a mean element of the output: of arithmetic that is
                           coarse on purpose (TF32) or by its method (Winograd); 0 to 1 */
  /* Computes the call of this `context` (convoy_call.context) and brings the result into `output`, memory of the call's output
   * tensor; NULL: nobody looks at it. Only queues its work, as convoy_enqueue(). On failure writes a sentence into `message`. Called
   * inside convoy_enqueue(), on its thread; must not throw. */
  convoy_status (*run)(void* context, void* output, char* message, size_t capacity);
} convoy_external;

/* As convoy_plan_create(); the plan is of its own, shares no choice, cannot be prepared, and needs convoy_call.context. The
 * texts are copied. */
CONVOY_API convoy_status convoy_plan_create_external(convoy_plan* plan, convoy_handle handle, convoy_problem problem,
                                                     const convoy_external* external);
/* 1 when the plan's external serves it: you may then compute without convoy_enqueue(), and this counts as its call. If that
 * fails, call convoy_enqueue() and let `run` report the failure: the next best computes. */
CONVOY_API int convoy_plan_claim(convoy_plan plan);

/* --- statistics ---------------------------------------------------------------------------------------------------- */

typedef struct convoy_statistics {
  int64_t problems;
  int64_t calls;
  int64_t calls_per_tier[5];    /* indexed by convoy_tier */
  int64_t problems_per_tier[5];
  int64_t fallbacks;            /* tries that went wrong */
  int64_t quarantined;          /* solver-problem pairs not tried because of their record */
  int64_t children_started;     /* processes for trials */
} convoy_statistics;

CONVOY_API convoy_status convoy_get_statistics(convoy_handle handle, convoy_statistics* statistics);
/* Everything as JSON, per problem with every attempt and its reason: writes at most `capacity` bytes with the final zero
 * into `buffer` (NULL allowed when capacity is 0) and the size needed into *needed. CONVOY_INVALID_ARGUMENT when the
 * buffer is too small; nothing is written then. */
CONVOY_API convoy_status convoy_statistics_json(convoy_handle handle, char* buffer, size_t capacity, size_t* needed);

#ifdef __cplusplus
}
#endif

#endif
