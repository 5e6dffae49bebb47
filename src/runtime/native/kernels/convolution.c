/*
 * The convolution of kernels.h: what its fields mean, the cut into tiles, and the plain form.
 * Invariant: a plan that convolution_prepare accepts never makes a kernel read or write outside of its tensors.
 */
#include "convolution.h"

const char *convolution_prepare(convolution *plan) {
  if (plan->channels_out < 1 || plan->inputs < 1 || plan->inputs > MOST_INPUTS) return "no channels or inputs";
  long in = 0;
  for (int i = 0; i < plan->inputs; i++) {
    const long start = plan->start[i], count = plan->count[i], width = plan->width_of[i];
    if (start < 0 || count < 1 || width > 1 << 20 || start + count > width) return "channels outside of an input";
    in += count;
  }
  for (int axis = 0; axis < 2; axis++) {
    if (plan->kernel[axis] < 1 || plan->kernel[axis] > 63) return "a kernel of no size or too large";
    if (plan->strides[axis] < 1 || plan->strides[axis] > 63) return "strides of no size or too large";
    for (int side = axis; side < 4; side += 2)
      if (plan->pads[side] < 0 || plan->pads[side] >= plan->kernel[axis]) return "pads as wide as the kernel";
  }
  if ((plan->x_zero | plan->y_zero) & ~255) return "zero points that are no bytes";
  long blocks = 0;
  if (plan->block_count < 1 || plan->block_count > MOST_BLOCKS) return "no blocks or too many";
  for (int b = 0; b < plan->block_count; b++) {
    if (plan->blocks[b] < 1 || plan->blocks[b] > WIDEST_BLOCK) return "a block of no width or too wide";
    blocks += plan->blocks[b];
  }
  if (blocks != ((long)plan->channels_out + LANES - 1) / LANES) return "blocks that are not all output channels";
  const int is_cell = plan->kernel[0] == 1 && plan->kernel[1] == 1 && plan->strides[0] == 1 && plan->strides[1] == 1;
  if (!plan->gathers) {
    if (!is_cell) return "a kernel of more than one cell that does not gather";
    for (int i = 0; i < plan->inputs; i++)
      if (plan->count[i] % 4 != 0) return "channels in no whole groups of four that are not gathered";
  }
  const long run = plan->kernel[1] * in;
  if (run > SCRATCH_BYTES / 64) {
    /* Still one cell of each row has to fit into the scratch memory. */
    if (plan->gathers && plan->kernel[0] * (run + 4) > SCRATCH_BYTES - SLACK) return "too many channels";
  }
  plan->channels_in = (int)in;
  plan->segments = plan->gathers ? plan->kernel[0] : plan->inputs;
  plan->all_groups = 0;
  for (int s = 0; s < plan->segments; s++) {
    plan->groups[s] = plan->gathers ? (int)((run + 3) / 4) : plan->count[s] / 4;
    plan->all_groups += plan->groups[s];
  }
  return NULL;
}

size_t convolution_weight_bytes(const convolution *plan) {
  size_t lanes = 0;
  for (int b = 0; b < plan->block_count; b++) lanes += (size_t)plan->blocks[b] * LANES;
  return lanes * (size_t)plan->all_groups * 4;
}

static int smaller(int a, int b) { return a < b ? a : b; }

size_t convolution_tiles(convolution_call *call) {
  const convolution *plan = call->plan;
  if (call->out_height < 1 || call->out_width < 1 || call->batch < 1) return 0;
  if (!plan->gathers) {
    /* Cells lie one after the other through all pictures: a tile is a run of them. */
    const long cells = (long)call->batch * call->out_height * call->out_width;
    const int most = SCRATCH_BYTES / (plan->channels_in + plan->channels_out);
    long columns = most < PIXELS ? PIXELS : most - most % PIXELS;
    if (columns > cells / 8 + PIXELS) columns = (cells / 8 + PIXELS) / PIXELS * PIXELS;
    call->tile_rows = 1;
    call->tile_columns = (int)columns;
    call->tiles_down = 1;
    call->tiles_across = (int)((cells + columns - 1) / columns);
    return (size_t)call->tiles_across;
  }
  const long cell = plan->channels_in, room = SCRATCH_BYTES - SLACK;
  const int kh = plan->kernel[0], kw = plan->kernel[1];
  /* Whole rows where they fit, otherwise as many columns as do. */
  int columns = call->out_width;
  while (columns > 1 && kh * (((long)columns - 1) * plan->strides[1] + kw) * cell > room) columns = (columns + 1) / 2;
  const long row = (((long)columns - 1) * plan->strides[1] + kw) * cell;
  int rows = (int)((room / row - kh) / plan->strides[0]) + 1;
  rows = smaller(smaller(rows, call->out_height), 1 + 2048 / columns);
  if (rows > 1 && rows > (call->out_height + 7) / 8) rows = (call->out_height + 7) / 8;
  call->tile_rows = rows;
  call->tile_columns = columns;
  call->tiles_down = (call->out_height + rows - 1) / rows;
  call->tiles_across = (call->out_width + columns - 1) / columns;
  return (size_t)call->batch * (size_t)call->tiles_down * (size_t)call->tiles_across;
}

/* To the nearest integer, halves to the even one, of a number that is small enough: sums with 1.5 * 2^23 have no fractions. */
static int nearest(float value) {
  const volatile float shifted = value + 12582912.0f;
  return (int)(shifted - 12582912.0f);
}

/* One output at a time, from the definition. */
void convolution_plain(const convolution_call *call, size_t index) {
  const convolution *plan = call->plan;
  long first, last;
  tile box;
  if (plan->gathers) {
    box = tile_at(call, index);
    first = 0;
    last = (long)box.rows * box.columns;
  } else {
    first = (long)index * call->tile_columns;
    const long cells = (long)call->batch * call->out_height * call->out_width;
    last = first + call->tile_columns < cells ? first + call->tile_columns : cells;
  }
  for (long at = first; at < last; at++) {
    int b = 0, oy = 0, ox;
    if (plan->gathers) {
      b = box.batch;
      oy = box.row + (int)(at / box.columns);
      ox = box.column + (int)(at % box.columns);
    } else {
      b = (int)(at / ((long)call->out_height * call->out_width));
      oy = (int)(at / call->out_width % call->out_height);
      ox = (int)(at % call->out_width);
    }
    uint8_t *y = call->y + (((long)b * call->out_height + oy) * call->out_width + ox) * plan->channels_out;
    for (int n = 0; n < plan->channels_out; n++) {
      /* Sums wrap like those of the vector instructions. */
      uint32_t sum = (uint32_t)call->bias[n];
      int block = 0, lane = n;
      const int8_t *weights = call->weights;
      while (lane >= plan->blocks[block] * LANES) {
        lane -= plan->blocks[block] * LANES;
        weights += (long)plan->blocks[block] * LANES * 4 * plan->all_groups;
        block++;
      }
      const long group_bytes = (long)plan->blocks[block] * LANES * 4;
      long group = 0;
      for (int ky = 0; ky < plan->kernel[0]; ky++) {
        const int iy = oy * plan->strides[0] + ky - plan->pads[0];
        long k = 0;
        for (int kx = 0; kx < plan->kernel[1]; kx++) {
          const int ix = ox * plan->strides[1] + kx - plan->pads[1];
          const int inside = iy >= 0 && iy < call->height && ix >= 0 && ix < call->width;
          for (int i = 0; i < plan->inputs; i++) {
            const uint8_t *x = call->x[i] + plan->start[i];
            for (int c = 0; c < plan->count[i]; c++, k++) {
              const int value =
                  inside ? x[(((long)b * call->height + iy) * call->width + ix) * plan->width_of[i] + c] : plan->x_zero;
              sum += (uint32_t)(value * weights[(group + k / 4) * group_bytes + lane * 4 + k % 4]);
            }
          }
        }
        group += (k + 3) / 4;
      }
      float scaled = (float)(int32_t)sum * call->scales[n];
      const float least = (float)-plan->y_zero, most = (float)(255 - plan->y_zero);
      scaled = scaled > least ? scaled : least;
      scaled = scaled < most ? scaled : most;
      y[n] = call->table[nearest(scaled) + plan->y_zero];
    }
  }
}
