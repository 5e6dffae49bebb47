/* What the processor has. The answer of CPUID counts only where the operating system saves the registers (XCR0). */
#include "kernels.h"

#if defined(__x86_64__)
static void cpuid(uint32_t leaf, uint32_t r[4]) {
  __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

int detected_features(void) {
  enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6 };
  uint32_t r[4];
  cpuid(0, r);
  if (r[0] < 7) return 0;
  cpuid(1, r);
  const int has_xgetbv = r[2] >> 27 & 1, has_avx = r[2] >> 28 & 1;
  if (!has_xgetbv || !has_avx) return 0;
  uint32_t xcr0, high;
  __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
  cpuid(7, r);
  int found = 0;
  if ((xcr0 & AVX_STATE) == AVX_STATE && (r[1] >> 5 & 1)) found |= FEATURE_AVX2;
  const int has_512 = (xcr0 & AVX512_STATE) == AVX512_STATE && (r[1] >> 16 & 1) /* F */ &&
                      (r[1] >> 30 & 1) /* BW */ && (r[1] >> 31 & 1) /* VL */;
  if (has_512 && (r[2] >> 1 & 1)) found |= FEATURE_AVX512_VBMI;
  if (has_512 && (r[2] >> 1 & 1) && (r[2] >> 11 & 1)) found |= FEATURE_AVX512_VNNI;
  return found;
}
#elif defined(__aarch64__)
/* Every 64-bit ARM processor that runs Linux has it. */
int detected_features(void) { return FEATURE_NEON; }
#else
int detected_features(void) { return 0; }
#endif
