/*
 * The convolution with AVX-512 VNNI: a product of four bytes with four weights in each of 16 lanes a step.
 * A block of output channels and a few output cells keep their sums in registers over all of the kernel; what a tile reads
 * lies together in scratch memory, so that the innermost loop knows neither borders nor strides.
 */
#include "convolution.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Where the runs of bytes of an output cell lie: base[s] + place * step[s]. */
typedef struct {
  const uint8_t *base[MOST_SEGMENTS];
  long step[MOST_SEGMENTS];
} runs;

typedef struct {
  __m512i part[4];
} wide_table;

/* Four bytes wherever they lie. */
typedef struct __attribute__((packed, may_alias)) {
  int32_t value;
} four_bytes;

INLINE __m512i look_up(const wide_table *t, __m512i v) {
  const __m512i low = _mm512_permutex2var_epi8(t->part[0], v, t->part[1]);
  const __m512i high = _mm512_permutex2var_epi8(t->part[2], v, t->part[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), low, high);
}

/*
 * Adds the products of the four bytes at `x`. In one piece, because a compiler that is free to loads the bytes of all cells first, for
 * which there are not enough registers.
 */
INLINE void add_products(__m512i *sums, const uint8_t *x, const __m512i *rows, const int width) {
  __m512i four;
  const four_bytes *const at = (const void *)x;
  switch (width) {
    case 1:
      __asm__("vpbroadcastd %2, %1\n\tvpdpbusd %3, %1, %0" : "+v"(sums[0]), "=&v"(four) : "m"(*at), "v"(rows[0]));
      break;
    case 2:
      __asm__("vpbroadcastd %3, %2\n\tvpdpbusd %4, %2, %0\n\tvpdpbusd %5, %2, %1"
              : "+v"(sums[0]), "+v"(sums[1]), "=&v"(four)
              : "m"(*at), "v"(rows[0]), "v"(rows[1]));
      break;
    case 3:
      __asm__("vpbroadcastd %4, %3\n\tvpdpbusd %5, %3, %0\n\tvpdpbusd %6, %3, %1\n\tvpdpbusd %7, %3, %2"
              : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "=&v"(four)
              : "m"(*at), "v"(rows[0]), "v"(rows[1]), "v"(rows[2]));
      break;
    default:
      __asm__(
          "vpbroadcastd %5, %4\n\tvpdpbusd %6, %4, %0\n\tvpdpbusd %7, %4, %1\n\t"
          "vpdpbusd %8, %4, %2\n\tvpdpbusd %9, %4, %3"
          : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "+v"(sums[3]), "=&v"(four)
          : "m"(*at), "v"(rows[0]), "v"(rows[1]), "v"(rows[2]), "v"(rows[3]));
  }
}

/* `cells` outputs of `width` * 16 channels from `channel` on; `places` in units of the runs, `outputs` in cells. */
INLINE void block(const convolution_call *call, const runs *in, const long *places, const long *outputs, int used,
                  const int8_t *weights, int channel, const wide_table *table, const int cells, const int width) {
  const convolution *plan = call->plan;
  __m512i sums[24][4];
#pragma clang loop unroll(full)
  for (int w = 0; w < width; w++) {
    const __m512i bias = _mm512_loadu_si512(call->bias + channel + w * LANES);
#pragma clang loop unroll(full)
    for (int c = 0; c < cells; c++) sums[c][w] = bias;
  }
  for (int s = 0; s < plan->segments; s++) {
    const uint8_t *x[24];
#pragma clang loop unroll(full)
    for (int c = 0; c < cells; c++) x[c] = in->base[s] + places[c] * in->step[s];
    const long groups = plan->groups[s];
#pragma clang loop unroll_count(2)
    for (long g = 0; g < groups; g++) {
      __m512i rows[4];
#pragma clang loop unroll(full)
      for (int w = 0; w < width; w++) rows[w] = _mm512_loadu_si512(weights + (g * width + w) * 64);
#pragma clang loop unroll(full)
      for (int c = 0; c < cells; c++) {
        add_products(sums[c], x[c] + g * 4, rows, width);
      }
    }
    weights += groups * width * 64;
  }
  const __m512 most = _mm512_set1_ps((float)(255 - plan->y_zero));
  const __m512i zero = _mm512_set1_epi16((short)plan->y_zero);
  const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const int channels = plan->channels_out, left = channels - channel;
  /* Four vectors of sums become 64 bytes: of one cell, or of cells whose outputs lie one after the other. */
  const int is_run = channels == width * LANES && outputs[cells - 1] - outputs[0] == cells - 1;
  __m512 scales[4];
#pragma clang loop unroll(full)
  for (int w = 0; w < width; w++) scales[w] = _mm512_loadu_ps(call->scales + channel + w * LANES);
#pragma clang loop unroll(full)
  for (int first = 0; first < cells * width; first += 4) {
    __m512i levels[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
      const int at = first + i, c = at / width, w = at % width;
      /* Too small a number for an integer becomes the smallest one, so only the other end needs a bound. */
      levels[i] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[c][w]), scales[w]), most));
    }
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(levels[0], levels[1]), zero);
    const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(levels[2], levels[3]), zero);
    const __m512i bytes = look_up(table, _mm512_permutexvar_epi32(in_order, _mm512_packus_epi16(low, high)));
    if (is_run && used == cells) {
      _mm512_storeu_si512(call->y + outputs[0] * channels + first * LANES, bytes);
    } else if (width == 4) {
      const __mmask64 mask = left >= 64 ? ~0ull : (1ull << left) - 1;
      if (first / 4 < used) _mm512_mask_storeu_epi8(call->y + outputs[first / 4] * channels + channel, mask, bytes);
    } else {
#define PART_STORE(I)                                                                                                \
  do {                                                                                                               \
    const int c = (first + I) / width, w = (first + I) % width, rest = left - w * LANES;                             \
    const __mmask16 mask = rest >= LANES ? 0xffff : (__mmask16)((1u << rest) - 1);                                   \
    if (c < used)                                                                                                    \
      _mm_mask_storeu_epi8(call->y + outputs[c] * channels + channel + w * LANES, mask,                              \
                           _mm512_extracti32x4_epi32(bytes, I));                                                     \
  } while (0)
      PART_STORE(0);
      PART_STORE(1);
      PART_STORE(2);
      PART_STORE(3);
#undef PART_STORE
    }
  }
}

#define BLOCK(CELLS, WIDTH)                                                                                       \
  static __attribute__((noinline)) TARGET void block_##WIDTH(                                                     \
      const convolution_call *call, const runs *in, const long *places, const long *outputs, int used,            \
      const int8_t *weights, int channel, const wide_table *table) {                                              \
    block(call, in, places, outputs, used, weights, channel, table, CELLS, WIDTH);                                \
  }
BLOCK(24, 1)
BLOCK(12, 2)
BLOCK(8, 3)
BLOCK(6, 4)

typedef void block_kernel(const convolution_call *, const runs *, const long *, const long *, int, const int8_t *, int,
                          const wide_table *);
static block_kernel *const kernels[] = {NULL, block_1, block_2, block_3, block_4};
static const int cells_of[] = {0, 24, 12, 8, 6};

/* Every output channel of `count` cells. */
TARGET static void all_blocks(const convolution_call *call, const runs *in, const long *places, const long *outputs,
                              long count) {
  const convolution *plan = call->plan;
  wide_table table;
  for (int t = 0; t < 4; t++) table.part[t] = _mm512_loadu_si512(call->table + 64 * t);
  const int8_t *weights = call->weights;
  int channel = 0;
  for (int b = 0; b < plan->block_count; b++) {
    const int width = plan->blocks[b], cells = cells_of[width];
    for (long at = 0; at < count; at += cells) {
      /* Behind the last cell its place is repeated, so a set is always full. */
      const int used = count - at < cells ? (int)(count - at) : cells;
      kernels[width](call, in, places + at, outputs + at, used, weights, channel, &table);
    }
    channel += width * LANES;
    weights += (long)width * 64 * plan->all_groups;
  }
}

/* Output cells whose places are worked out together: a multiple of the cells of every block. */
enum { PART = 10 * PIXELS };

TARGET static void convolution_vnni(const convolution_call *call, size_t index) {
  const convolution *plan = call->plan;
  runs in;
  if (!plan->gathers) {
    const long first = (long)index * call->tile_columns;
    const long cells = (long)call->batch * call->out_height * call->out_width;
    const long end = first + call->tile_columns < cells ? first + call->tile_columns : cells;
    for (int i = 0; i < plan->inputs; i++) {
      in.base[i] = call->x[i] + plan->start[i];
      in.step[i] = plan->width_of[i];
    }
    long places[PART];
    for (long at = first; at < end; at += PART) {
      const long count = end - at < PART ? end - at : PART;
      for (long i = 0; i < PART; i++) places[i] = at + (i < count ? i : count - 1);
      all_blocks(call, &in, places, places, count);
    }
    return;
  }
  const tile t = tile_at(call, index);
  uint8_t scratch[SCRATCH_BYTES] __attribute__((aligned(64)));
  const long row = gather(call, t, scratch);
  for (int ky = 0; ky < plan->kernel[0]; ky++) {
    in.base[ky] = scratch + ky * row;
    in.step[ky] = 1;
  }
  long places[PART], outputs[PART];
  const long cells = (long)t.rows * t.columns;
  const long origin = ((long)t.batch * call->out_height + t.row) * call->out_width + t.column;
  int y = 0, x = 0;
  for (long at = 0; at < cells; at += PART) {
    const long count = cells - at < PART ? cells - at : PART;
    for (long i = 0; i < PART; i++) {
      if (i >= count) {
        places[i] = places[count - 1];
        outputs[i] = outputs[count - 1];
        continue;
      }
      places[i] = y * plan->strides[0] * row + (long)x * plan->strides[1] * plan->channels_in;
      outputs[i] = origin + (long)y * call->out_width + x;
      if (++x == t.columns) {
        x = 0;
        y++;
      }
    }
    all_blocks(call, &in, places, outputs, count);
  }
}

convolution_kernel *convolution_kernel_for(int features) {
  return features & FEATURE_AVX512_VNNI ? convolution_vnni : NULL;
}
#else
convolution_kernel *convolution_kernel_for(int features) {
  (void)features;
  return NULL;
}
#endif
