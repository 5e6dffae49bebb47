/*
 * What the operators of the domain `yolo-edge` compute, apart from ONNX Runtime.
 *
 * The kernels of one operator give the same bytes for the same arguments, whatever the processor: the plain C forms say
 * what is right, and test/runtime/native and test/slow compare the others with them.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Bits of what a processor has and this library makes use of. */
enum {
  FEATURE_AVX2 = 1,
  FEATURE_AVX512_VBMI = 2,
  FEATURE_AVX512_VNNI = 4,
  FEATURE_NEON = 8,
};

/* Asks the processor and the operating system, not the compiler: instructions and saved registers both count. */
int detected_features(void);

/* y[i] = table[x[i]] for `count` bytes; y may be x. */
typedef void table_kernel(const uint8_t *x, uint8_t *y, size_t count, const uint8_t *table);

table_kernel table_plain;
/* The fastest kernel that `features` allow. */
table_kernel *table_kernel_for(int features);

enum { MOST_INPUTS = 16, MOST_BLOCKS = 64, MOST_SEGMENTS = 64 };

/*
 * A convolution of bytes `[batch, height, width, channels]`, its requantization and a table, in one pass:
 *
 *   sum[n] = bias[n] + sum over ky, kx, c of weight[n, ky, kx, c] * x[ky, kx, c]          exact 32-bit integers
 *   y[n]   = table[clamp(round_to_even(float(sum[n]) * scale[n]) + y_zero, 0, 255)]       one float multiplication
 *
 * Cells outside of the map count as `x_zero`; `bias` holds the share of `x_zero` already (bias - x_zero * sum of weights).
 * This is what QLinearConv gives with scale[n] = float(float(x_scale * w_scale[n]) / y_scale), followed by the table.
 *
 * The channels of a cell come from `inputs` tensors, one after the other: channels `start[i]` to `start[i] + count[i]` of
 * `width_of[i]`, so neither a Concat before the operator nor a Split needs a copy.
 *
 * Weights: `segments` runs of bytes, each padded with zeros to whole groups of four: where `gathers`, run ky is [kx, c];
 * otherwise, for a kernel of one cell, run i is the channels of input i. Output channels stand in blocks of `blocks[b]`
 * times 16; a block holds, for each group of four bytes of all runs in order, 16 * blocks[b] channels times four weights.
 */
typedef struct {
  int channels_out;
  int kernel[2], strides[2], pads[4]; /* rows, columns; pads: top, left, bottom, right */
  int x_zero, y_zero;
  int inputs, gathers;
  int start[MOST_INPUTS], count[MOST_INPUTS], width_of[MOST_INPUTS];
  int block_count, blocks[MOST_BLOCKS];
  /* The following are derived by convolution_prepare. */
  int channels_in, segments, groups[MOST_SEGMENTS], all_groups;
} convolution;

typedef struct {
  const convolution *plan;
  const uint8_t *x[MOST_INPUTS];
  uint8_t *y;
  int batch, height, width, out_height, out_width;
  const int8_t *weights;
  const int32_t *bias; /* of channels_out rounded up to 16 */
  const float *scales; /* as bias */
  const uint8_t *table;
  /* Set by convolution_tiles. */
  int tile_rows, tile_columns, tiles_down, tiles_across;
} convolution_call;

/* Checks `plan`, and derives what follows from it. Returns what is wrong, or NULL. */
const char *convolution_prepare(convolution *plan);
/* Bytes of packed weights that `plan` needs. */
size_t convolution_weight_bytes(const convolution *plan);
/* Cuts the output of `call` into tiles that can be computed in any order, and returns how many. */
size_t convolution_tiles(convolution_call *call);

/* Computes tile `index`. */
typedef void convolution_kernel(const convolution_call *call, size_t index);
convolution_kernel convolution_plain;
/* NULL where this processor has no kernel that is worth it. */
convolution_kernel *convolution_kernel_for(int features);
