/* What the forms of the convolution share. */
#pragma once
#include "kernels.h"
#include <string.h>

enum {
  LANES = 16,           /* output channels of one vector of sums */
  WIDEST_BLOCK = 4,     /* vectors of sums of one output cell */
  PIXELS = 24,          /* a multiple of the output cells of every kernel */
  SCRATCH_BYTES = 49152,/* of one tile's inputs: they stay in the second cache, beside the weights */
  SLACK = 64,           /* bytes behind the inputs that whole groups may reach */
};

/* The outputs of one call of a gathering kernel. */
typedef struct {
  int batch, row, column, rows, columns;
} tile;

static inline tile tile_at(const convolution_call *call, size_t index) {
  const int across = (int)(index % (size_t)call->tiles_across);
  const int down = (int)(index / (size_t)call->tiles_across % (size_t)call->tiles_down);
  tile t = {.batch = (int)(index / (size_t)call->tiles_across / (size_t)call->tiles_down),
            .row = down * call->tile_rows,
            .column = across * call->tile_columns};
  t.rows = call->out_height - t.row < call->tile_rows ? call->out_height - t.row : call->tile_rows;
  t.columns = call->out_width - t.column < call->tile_columns ? call->out_width - t.column : call->tile_columns;
  return t;
}

/*
 * Brings the inputs of `t` together: rows of cells of channels_in bytes, with x_zero where they lie outside of the map.
 * Returns the bytes of a row.
 */
static inline long gather(const convolution_call *call, tile t, uint8_t *scratch) {
  const convolution *plan = call->plan;
  const long cell = plan->channels_in;
  const int rows = (t.rows - 1) * plan->strides[0] + plan->kernel[0];
  const int columns = (t.columns - 1) * plan->strides[1] + plan->kernel[1];
  const int top = t.row * plan->strides[0] - plan->pads[0], left = t.column * plan->strides[1] - plan->pads[1];
  const int before = left < 0 ? -left : 0;
  int inside = call->width - left < columns ? call->width - left - before : columns - before;
  if (inside < 0) inside = 0;
  for (int r = 0; r < rows; r++, scratch += columns * cell) {
    const int y = top + r;
    if (y < 0 || y >= call->height || inside == 0) {
      memset(scratch, plan->x_zero, (size_t)(columns * cell));
      continue;
    }
    memset(scratch, plan->x_zero, (size_t)(before * cell));
    memset(scratch + (before + inside) * cell, plan->x_zero, (size_t)((columns - before - inside) * cell));
    uint8_t *to = scratch + before * cell;
    for (int i = 0; i < plan->inputs; i++) {
      const long width = plan->width_of[i], count = plan->count[i];
      const uint8_t *from =
          call->x[i] + (((long)t.batch * call->height + y) * call->width + left + before) * width + plan->start[i];
      if (count == width && count == cell) {
        memcpy(to, from, (size_t)(inside * cell));
      } else {
        for (int x = 0; x < inside; x++) memcpy(to + x * cell, from + x * width, (size_t)count);
      }
      to += count;
    }
  }
  return columns * cell;
}
