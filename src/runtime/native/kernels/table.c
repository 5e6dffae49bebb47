/* The table of 256 bytes: what two or more operators on single bytes give together. */
#include "kernels.h"

void table_plain(const uint8_t *x, uint8_t *y, size_t count, const uint8_t *table) {
  for (size_t i = 0; i < count; i++) y[i] = table[x[i]];
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Two lookups of 128 bytes each; the highest bit of x chooses between them. */
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi"))) static void table_vbmi(const uint8_t *x, uint8_t *y,
                                                                                     size_t count,
                                                                                     const uint8_t *table) {
  const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64);
  const __m512i t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    const __m512i v = _mm512_loadu_si512(x + i);
    const __m512i low = _mm512_permutex2var_epi8(t0, v, t1), high = _mm512_permutex2var_epi8(t2, v, t3);
    _mm512_storeu_si512(y + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), low, high));
  }
  if (i < count) {
    const __mmask64 rest = ~0ull >> (64 - (count - i));
    const __m512i v = _mm512_maskz_loadu_epi8(rest, x + i);
    const __m512i low = _mm512_permutex2var_epi8(t0, v, t1), high = _mm512_permutex2var_epi8(t2, v, t3);
    _mm512_mask_storeu_epi8(y + i, rest, _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), low, high));
  }
}

/*
 * Sixteen lookups of 16 bytes. A byte shuffle gives zero where the highest bit of the index is set, so with x - 16 r the
 * rows before r would answer too; their answers cancel out because row r holds the difference (xor) to row r - 1, and the
 * saturated subtraction keeps indices of rows still to come negative.
 */
__attribute__((target("avx2"))) static void table_avx2(const uint8_t *x, uint8_t *y, size_t count,
                                                       const uint8_t *table) {
  __m256i rows[16];
  __m128i before = _mm_setzero_si128();
  for (int r = 0; r < 16; r++) {
    const __m128i row = _mm_loadu_si128((const __m128i *)(table + 16 * r));
    /* Rows 0 to 7 and 8 to 15 are two chains: an index is in one half of the signed bytes or the other. */
    rows[r] = _mm256_broadcastsi128_si256(r == 8 ? row : _mm_xor_si128(row, before));
    before = row;
  }
  const __m256i sixteen = _mm256_set1_epi8(16);
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m256i v = _mm256_loadu_si256((const __m256i *)(x + i));
    /* Of 0 to 127; bytes from 128 on are negative all the way and give zero. */
    __m256i index = v, sum = _mm256_shuffle_epi8(rows[0], index);
    for (int r = 1; r < 8; r++) {
      index = _mm256_subs_epi8(index, sixteen);
      sum = _mm256_xor_si256(sum, _mm256_shuffle_epi8(rows[r], index));
    }
    /* Of 128 to 255. */
    index = _mm256_xor_si256(v, _mm256_set1_epi8(-128));
    __m256i high = _mm256_shuffle_epi8(rows[8], index);
    for (int r = 9; r < 16; r++) {
      index = _mm256_subs_epi8(index, sixteen);
      high = _mm256_xor_si256(high, _mm256_shuffle_epi8(rows[r], index));
    }
    _mm256_storeu_si256((__m256i *)(y + i), _mm256_xor_si256(sum, high));
  }
  table_plain(x + i, y + i, count - i, table);
}

table_kernel *table_kernel_for(int features) {
  if (features & FEATURE_AVX512_VBMI) return table_vbmi;
  return features & FEATURE_AVX2 ? table_avx2 : table_plain;
}
#elif defined(__aarch64__)
#include <arm_neon.h>

/* Four lookups of 64 bytes; an index outside of its 64 leaves the byte as it is. */
static void table_neon(const uint8_t *x, uint8_t *y, size_t count, const uint8_t *table) {
  uint8x16x4_t quarter[4];
  for (int q = 0; q < 4; q++)
    for (int r = 0; r < 4; r++) quarter[q].val[r] = vld1q_u8(table + 64 * q + 16 * r);
  const uint8x16_t step = vdupq_n_u8(64);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    uint8x16_t index = vld1q_u8(x + i);
    uint8x16_t found = vqtbl4q_u8(quarter[0], index);
    for (int q = 1; q < 4; q++) {
      index = vsubq_u8(index, step);
      found = vqtbx4q_u8(found, quarter[q], index);
    }
    vst1q_u8(y + i, found);
  }
  table_plain(x + i, y + i, count - i, table);
}

table_kernel *table_kernel_for(int features) { return features & FEATURE_NEON ? table_neon : table_plain; }
#else
table_kernel *table_kernel_for(int features) {
  (void)features;
  return table_plain;
}
#endif
