/*
 * The operators of the domain `yolo-edge`, version 1, for ONNX Runtime 1.17 and later: a library of custom operators that
 * ONNX Runtime loads by its path (RegisterCustomOpsLibrary_V2) and enters at RegisterCustomOps.
 *
 *   Table        y = table[x]         x: uint8, any shape; table: uint8 [256]
 *   Convolution  see kernels.h        inputs: weights int8, bias int32, scales float32, table uint8 [256], then x uint8 NHWC ...
 *
 * ONNX Runtime's API is a table of functions whose positions never change once they are released, so positions are all
 * that is needed here; every status is looked at. Invariant: an operator never reads or writes outside of its tensors,
 * whatever the file says: what does not fit is an error of the run, or of the load.
 */
#include "kernels.h"
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef struct status status;
typedef struct context context;
typedef struct info info;
typedef struct value value;
typedef struct shape shape;
typedef struct inference inference;
typedef struct options options;
typedef struct domain domain;
typedef struct {
  const void *(*api)(uint32_t version);
  const char *(*version)(void);
} api_base;

enum { API_VERSION = 17, OK = 0, FAIL = 1, INVALID = 2, OPERATOR_VERSION = 1 };
enum { FLOAT = 1, UINT8 = 2, INT8 = 3, INT32 = 6, UNDEFINED = 0 };

static void *const *api;
/* What sessions that are opened from now on may use; each keeps the kernels that it was opened with. */
static int allowed_features = -1;

#define CALL(position, type) ((status * (*)type)api[position])
#define CREATE_STATUS ((status * (*)(int, const char *))api[0])
#define ADD_OPERATOR CALL(27, (domain *, const void *))
#define CREATE_DOMAIN CALL(26, (const char *, domain **))
#define ADD_DOMAIN CALL(28, (options *, domain *))
#define MUTABLE_DATA CALL(51, (const value *, void **))
#define CREATE_SHAPE CALL(57, (shape **))
#define SET_TYPE CALL(58, (shape *, int))
#define SET_DIMS CALL(59, (shape *, const int64_t *, size_t))
#define GET_TYPE CALL(60, (const shape *, int *))
#define GET_RANK CALL(61, (const shape *, size_t *))
#define GET_DIMS CALL(62, (const shape *, int64_t *, size_t))
#define GET_SYMBOLS CALL(63, (const shape *, const char **, size_t))
#define GET_COUNT CALL(64, (const shape *, size_t *))
#define GET_SHAPE CALL(65, (const value *, shape **))
#define INT_ATTRIBUTE CALL(86, (const info *, const char *, int64_t *))
#define INPUT_COUNT CALL(88, (const context *, size_t *))
#define GET_INPUT CALL(90, (const context *, size_t, const value **))
#define GET_OUTPUT CALL(91, (context *, size_t, const int64_t *, size_t, value **))
#define RELEASE_SHAPE ((void (*)(shape *))api[99])
#define INTS_ATTRIBUTE CALL(163, (const info *, const char *, int64_t *, size_t *))
#define INFERRED_INPUT CALL(268, (const inference *, size_t, shape **))
#define INFERRED_ATTRIBUTE CALL(269, (const inference *, const char *, const void **))
#define INFER_OUTPUT CALL(270, (const inference *, size_t, const shape *))
#define SET_SYMBOLS CALL(271, (shape *, const char **, size_t))
#define READ_ATTRIBUTE CALL(272, (const void *, int, void *, size_t, size_t *))
#define PARALLEL CALL(274, (const context *, void (*)(void *, size_t), size_t, size_t, void *))

#define TRY(call)                       \
  do {                                  \
    status *const failed = (call);      \
    if (failed != NULL) return failed;  \
  } while (0)

static status *refuse(const char *problem) { return CREATE_STATUS(INVALID, problem); }

/* A tensor as the operators need it. */
typedef struct {
  const void *data;
  int type;
  size_t rank, count;
  int64_t dims[8];
} tensor;

static status *input(const context *ctx, size_t index, tensor *t) {
  const value *v;
  TRY(GET_INPUT(ctx, index, &v));
  if (v == NULL) return refuse("an input is absent");
  void *data;
  TRY(MUTABLE_DATA(v, &data));
  t->data = data;
  shape *s;
  TRY(GET_SHAPE(v, &s));
  status *failed = GET_TYPE(s, &t->type);
  if (failed == NULL) failed = GET_RANK(s, &t->rank);
  if (failed == NULL) failed = GET_COUNT(s, &t->count);
  if (failed == NULL) failed = t->rank > 8 ? refuse("a tensor of more than 8 axes") : GET_DIMS(s, t->dims, t->rank);
  RELEASE_SHAPE(s);
  return failed;
}

static status *is_table(const tensor *t) {
  return t->type == UINT8 && t->count == 256 ? NULL : refuse("the table has not 256 bytes");
}

/* ---- Table ---- */

/* Of a parallel part; smaller tensors are not worth waking a thread for. */
enum { TABLE_PART = 1 << 16 };

typedef struct {
  table_kernel *compute;
} table_operator;

typedef struct {
  table_kernel *compute;
  const uint8_t *x, *table;
  uint8_t *y;
  size_t count;
} table_call;

static int usable_features(void) { return detected_features() & __atomic_load_n(&allowed_features, __ATOMIC_RELAXED); }

static status *table_create(const void *op, const void *const *its_api, const info *about, void **kernel) {
  (void)op, (void)its_api, (void)about;
  table_operator *made = malloc(sizeof *made);
  if (made == NULL) return CREATE_STATUS(FAIL, "no memory");
  made->compute = table_kernel_for(usable_features());
  *kernel = made;
  return NULL;
}

static void table_part(void *data, size_t part) {
  const table_call *call = data;
  const size_t from = part * TABLE_PART, left = call->count - from;
  call->compute(call->x + from, call->y + from, left < TABLE_PART ? left : TABLE_PART, call->table);
}

static status *table_compute(void *kernel, context *ctx) {
  const table_operator *own = kernel;
  tensor x, table;
  TRY(input(ctx, 0, &x));
  TRY(input(ctx, 1, &table));
  TRY(is_table(&table));
  value *made;
  TRY(GET_OUTPUT(ctx, 0, x.dims, x.rank, &made));
  if (x.count == 0) return NULL;
  void *y;
  TRY(MUTABLE_DATA(made, &y));
  table_call call = {.compute = own->compute, .x = x.data, .table = table.data, .y = y, .count = x.count};
  const size_t parts = (x.count + TABLE_PART - 1) / TABLE_PART;
  if (parts > 1) return PARALLEL(ctx, table_part, parts, 0, &call);
  table_part(&call, 0);
  return NULL;
}

/* An axis of unknown size passes on with its name; without one, sizes that differ would look the same. */
static status *symbols_of(const shape *s, const int64_t *dims, size_t rank, const char **names, int *is_known) {
  *is_known = 1;
  TRY(GET_SYMBOLS(s, names, rank));
  for (size_t i = 0; i < rank; i++)
    if (dims[i] < 0 && (names[i] == NULL || names[i][0] == 0)) *is_known = 0;
  return NULL;
}

static status *table_infer(const void *op, inference *ctx) {
  (void)op;
  shape *s;
  TRY(INFERRED_INPUT(ctx, 0, &s));
  size_t rank;
  TRY(GET_RANK(s, &rank));
  int64_t dims[8];
  const char *names[8];
  int is_known;
  if (rank > 8) return NULL;
  TRY(GET_DIMS(s, dims, rank));
  TRY(symbols_of(s, dims, rank, names, &is_known));
  return is_known ? INFER_OUTPUT(ctx, 0, s) : NULL;
}

/* ---- Convolution ---- */

enum { CONSTANTS = 4 };

typedef struct {
  convolution plan;
  convolution_kernel *compute;
} convolution_operator;

static status *ints(const info *about, const char *name, int64_t *values, size_t most, size_t *count) {
  *count = 0;
  status *const failed = INTS_ATTRIBUTE(about, name, NULL, count);
  if (failed != NULL) return failed;
  if (*count > most) return refuse("an attribute has too many numbers");
  return INTS_ATTRIBUTE(about, name, values, count);
}

static int bounded(int64_t v) { return v < -1 || v > 1 << 24 ? -1 : (int)v; }

static status *convolution_plan(const info *about, convolution *plan) {
  int64_t v[3 * MOST_INPUTS + MOST_BLOCKS];
  size_t count;
  memset(plan, 0, sizeof *plan);
  TRY(ints(about, "geometry", v, 12, &count));
  if (count != 12) return refuse("the geometry has not 12 numbers");
  plan->channels_out = bounded(v[0]);
  for (int i = 0; i < 2; i++) plan->kernel[i] = bounded(v[1 + i]);
  for (int i = 0; i < 2; i++) plan->strides[i] = bounded(v[3 + i]);
  for (int i = 0; i < 4; i++) plan->pads[i] = bounded(v[5 + i]);
  plan->x_zero = bounded(v[9]);
  plan->y_zero = bounded(v[10]);
  plan->gathers = v[11] != 0;
  TRY(ints(about, "channels", v, 3 * MOST_INPUTS, &count));
  if (count % 3 != 0) return refuse("the channels are not three numbers an input");
  plan->inputs = (int)count / 3;
  for (int i = 0; i < plan->inputs; i++) {
    plan->start[i] = bounded(v[3 * i]);
    plan->count[i] = bounded(v[3 * i + 1]);
    plan->width_of[i] = bounded(v[3 * i + 2]);
  }
  TRY(ints(about, "blocks", v, MOST_BLOCKS, &count));
  plan->block_count = (int)count;
  for (int b = 0; b < plan->block_count; b++) plan->blocks[b] = bounded(v[b]);
  const char *problem = convolution_prepare(plan);
  return problem == NULL ? NULL : refuse(problem);
}

static status *convolution_create(const void *op, const void *const *its_api, const info *about, void **kernel) {
  (void)op;
  (void)its_api;
  convolution_kernel *const compute = convolution_kernel_for(usable_features());
  if (compute == NULL) return CREATE_STATUS(FAIL, "this processor has no kernel for Convolution");
  convolution_operator *made = malloc(sizeof *made);
  if (made == NULL) return CREATE_STATUS(FAIL, "no memory");
  made->compute = compute;
  status *const failed = convolution_plan(about, &made->plan);
  if (failed != NULL) {
    free(made);
    return failed;
  }
  *kernel = made;
  return NULL;
}

typedef struct {
  convolution_call call;
  convolution_kernel *compute;
} convolution_run;

static void convolution_part(void *data, size_t index) {
  const convolution_run *run = data;
  run->compute(&run->call, index);
}

static status *convolution_compute(void *kernel, context *ctx) {
  const convolution_operator *own = kernel;
  const convolution *plan = &own->plan;
  convolution_run run = {.compute = own->compute, .call = {.plan = plan}};
  size_t given;
  TRY(INPUT_COUNT(ctx, &given));
  if (given != (size_t)plan->inputs + CONSTANTS) return refuse("the inputs are not as many as the channels say");
  tensor weights, bias, scales, table;
  TRY(input(ctx, 0, &weights));
  TRY(input(ctx, 1, &bias));
  TRY(input(ctx, 2, &scales));
  TRY(input(ctx, 3, &table));
  TRY(is_table(&table));
  const size_t lanes = ((size_t)plan->channels_out + 15) / 16 * 16;
  if (weights.type != INT8 || weights.count != convolution_weight_bytes(plan)) return refuse("weights of another size");
  if (bias.type != INT32 || bias.count != lanes) return refuse("biases of another size");
  if (scales.type != FLOAT || scales.count != lanes) return refuse("scales of another size");
  int64_t first[4] = {0};
  for (int i = 0; i < plan->inputs; i++) {
    tensor x;
    TRY(input(ctx, CONSTANTS + (size_t)i, &x));
    if (x.type != UINT8 || x.rank != 4 || x.dims[3] != plan->width_of[i]) return refuse("an input of another shape");
    if (i == 0) memcpy(first, x.dims, sizeof first);
    if (memcmp(first, x.dims, 3 * sizeof *first) != 0) return refuse("inputs of different sizes");
    run.call.x[i] = x.data;
  }
  for (int axis = 0; axis < 3; axis++)
    if (first[axis] > 1 << 20) return refuse("an input that is too large");
  run.call.batch = (int)first[0];
  run.call.height = (int)first[1];
  run.call.width = (int)first[2];
  const int down = run.call.height + plan->pads[0] + plan->pads[2] - plan->kernel[0];
  const int across = run.call.width + plan->pads[1] + plan->pads[3] - plan->kernel[1];
  if (down < 0 || across < 0) return refuse("an input smaller than the kernel");
  run.call.out_height = down / plan->strides[0] + 1;
  run.call.out_width = across / plan->strides[1] + 1;
  run.call.weights = weights.data;
  run.call.bias = bias.data;
  run.call.scales = scales.data;
  run.call.table = table.data;
  const int64_t dims[4] = {run.call.batch, run.call.out_height, run.call.out_width, plan->channels_out};
  value *made;
  TRY(GET_OUTPUT(ctx, 0, dims, 4, &made));
  void *y;
  TRY(MUTABLE_DATA(made, &y));
  run.call.y = y;
  const size_t tiles = convolution_tiles(&run.call);
  if (tiles == 0) return NULL;
  if (tiles == 1) {
    convolution_part(&run, 0);
    return NULL;
  }
  return PARALLEL(ctx, convolution_part, tiles, tiles, &run);
}

static status *convolution_infer(const void *op, inference *ctx) {
  (void)op;
  enum { INTS = 2 };
  const void *attribute;
  TRY(INFERRED_ATTRIBUTE(ctx, "geometry", &attribute));
  int64_t v[12];
  size_t bytes = 0;
  TRY(READ_ATTRIBUTE(attribute, INTS, v, sizeof v, &bytes));
  shape *in, *out;
  TRY(INFERRED_INPUT(ctx, CONSTANTS, &in));
  size_t rank;
  TRY(GET_RANK(in, &rank));
  int64_t dims[4];
  const char *names[4];
  int is_known;
  if (rank != 4) return NULL;
  TRY(GET_DIMS(in, dims, 4));
  TRY(symbols_of(in, dims, 4, names, &is_known));
  if (!is_known || dims[1] < 0 || dims[2] < 0 || v[3] < 1 || v[4] < 1) return NULL;
  dims[1] = (dims[1] + v[5] + v[7] - v[1]) / v[3] + 1;
  dims[2] = (dims[2] + v[6] + v[8] - v[2]) / v[4] + 1;
  dims[3] = v[0];
  names[1] = names[2] = names[3] = "";
  TRY(CREATE_SHAPE(&out));
  status *failed = SET_TYPE(out, UINT8);
  if (failed == NULL) failed = SET_DIMS(out, dims, 4);
  if (failed == NULL) failed = SET_SYMBOLS(out, names, 4);
  if (failed == NULL) failed = INFER_OUTPUT(ctx, 0, out);
  RELEASE_SHAPE(out);
  return failed;
}

/* ---- What ONNX Runtime asks of an operator ---- */

enum { REQUIRED = 0, VARIADIC = 2 };

typedef struct custom_operator custom_operator;
struct custom_operator {
  uint32_t version;
  void *(*create)(const custom_operator *, const void *const *, const info *);
  const char *(*name)(const custom_operator *);
  const char *(*provider)(const custom_operator *);
  int (*input_type)(const custom_operator *, size_t);
  size_t (*input_count)(const custom_operator *);
  int (*output_type)(const custom_operator *, size_t);
  size_t (*output_count)(const custom_operator *);
  void (*compute)(void *, context *);
  void (*destroy)(void *);
  int (*input_kind)(const custom_operator *, size_t);
  int (*output_kind)(const custom_operator *, size_t);
  int (*memory)(const custom_operator *, size_t);
  int (*fewest_inputs)(const custom_operator *);
  int (*same_inputs)(const custom_operator *);
  int (*fewest_outputs)(const custom_operator *);
  int (*same_outputs)(const custom_operator *);
  status *(*create_2)(const void *, const void *const *, const info *, void **);
  status *(*compute_2)(void *, context *);
  status *(*infer)(const void *, inference *);
  int (*first_version)(const custom_operator *);
  int (*last_version)(const custom_operator *);
};

static const char *table_name(const custom_operator *op) { return (void)op, "Table"; }
static const char *convolution_name(const custom_operator *op) { return (void)op, "Convolution"; }
static const char *any_provider(const custom_operator *op) { return (void)op, NULL; }
static int byte_type(const custom_operator *op, size_t i) { return (void)op, (void)i, UINT8; }
static int convolution_type(const custom_operator *op, size_t i) {
  static const int types[CONSTANTS] = {INT8, INT32, FLOAT, UINT8};
  return (void)op, i < CONSTANTS ? types[i] : UINT8;
}
static size_t one(const custom_operator *op) { return (void)op, 1; }
static size_t two(const custom_operator *op) { return (void)op, 2; }
static size_t constants_and_inputs(const custom_operator *op) { return (void)op, CONSTANTS + 1; }
static int always_required(const custom_operator *op, size_t i) { return (void)op, (void)i, REQUIRED; }
static int last_is_variadic(const custom_operator *op, size_t i) { return (void)op, i < CONSTANTS ? REQUIRED : VARIADIC; }
static int default_memory(const custom_operator *op, size_t i) { return (void)op, (void)i, 0; }
static int version_one(const custom_operator *op) { return (void)op, OPERATOR_VERSION; }
static int yes(const custom_operator *op) { return (void)op, 1; }

#define SHARED_FIELDS                                                                                            \
  .version = API_VERSION, .provider = any_provider, .output_type = byte_type, .output_count = one,               \
  .output_kind = always_required, .memory = default_memory, .fewest_inputs = yes, .same_inputs = yes,            \
  .fewest_outputs = yes, .same_outputs = yes, .first_version = version_one, .last_version = version_one

static const custom_operator operators[] = {
    {SHARED_FIELDS, .name = table_name, .input_type = byte_type, .input_count = two, .input_kind = always_required,
     .create_2 = table_create, .compute_2 = table_compute, .destroy = free, .infer = table_infer},
    {SHARED_FIELDS, .name = convolution_name, .input_type = convolution_type, .input_count = constants_and_inputs,
     .input_kind = last_is_variadic, .create_2 = convolution_create, .compute_2 = convolution_compute,
     .destroy = free, .infer = convolution_infer},
};

/*
 * The features that sessions opened from now on use, of those `allowed`; tests take some away, as a processor without them would.
 * Bit 16: there is a kernel for Convolution.
 */
EXPORT int yolo_edge_features(int allowed) {
  __atomic_store_n(&allowed_features, allowed, __ATOMIC_RELAXED);
  const int features = usable_features();
  return features | (convolution_kernel_for(features) != NULL ? 1 << 16 : 0);
}

static status *domain_of_process(domain **found) {
  static domain *made;
  if (made == NULL) {
    domain *fresh;
    TRY(CREATE_DOMAIN("yolo-edge", &fresh));
    for (int i = 0; i < 2; i++) TRY(ADD_OPERATOR(fresh, &operators[i]));
    made = fresh;
  }
  *found = made;
  return NULL;
}

/* One domain for the whole process: ONNX Runtime keeps no copy of it, and sessions come and go, in any thread. */
EXPORT status *RegisterCustomOps(options *of_session, const api_base *base) {
  static char is_taken;
  while (__atomic_test_and_set(&is_taken, __ATOMIC_ACQUIRE)) continue;
  /* NULL where ONNX Runtime is too old; its session then does not know the domain, and says so. */
  const void *const its_api = base->api(API_VERSION);
  status *failed = NULL;
  if (its_api != NULL) {
    api = its_api;
    domain *found;
    failed = domain_of_process(&found);
    if (failed == NULL) failed = ADD_DOMAIN(of_session, found);
  }
  __atomic_clear(&is_taken, __ATOMIC_RELEASE);
  return failed;
}
