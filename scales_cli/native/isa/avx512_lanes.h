// What every AVX-512 table shares: 16 float lanes, and the carry-save adders up to the words to be counted.
// Included by one kernel file for each set of extensions and built with its flags, hence the unnamed namespace.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/vector_kernels.h"

namespace scales {
namespace {

struct Avx512Lanes {
  using F32x16 = __m512;
  using Mask = __mmask16;

  static F32x16 load(const float* p) { return _mm512_load_ps(p); }
  static F32x16 loadu(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F32x16 a) { _mm512_store_ps(p, a); }
  static void storeu(float* p, F32x16 a) { _mm512_storeu_ps(p, a); }
  static void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
  static F32x16 set1(float a) { return _mm512_set1_ps(a); }
  static F32x16 add(F32x16 a, F32x16 b) { return _mm512_add_ps(a, b); }
  static F32x16 sub(F32x16 a, F32x16 b) { return _mm512_sub_ps(a, b); }
  static F32x16 mul(F32x16 a, F32x16 b) { return _mm512_mul_ps(a, b); }
  static F32x16 div(F32x16 a, F32x16 b) { return _mm512_div_ps(a, b); }
  static F32x16 min(F32x16 a, F32x16 b) { return _mm512_min_ps(a, b); }
  static F32x16 max(F32x16 a, F32x16 b) { return _mm512_max_ps(a, b); }
  static F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return _mm512_fmadd_ps(a, b, c); }
  static F32x16 fms(F32x16 a, F32x16 b, F32x16 c) { return _mm512_fmsub_ps(a, b, c); }
  static Mask mask(unsigned lanes) { return static_cast<Mask>(lanes); }
  static Mask ge(F32x16 a, F32x16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
  static F32x16 select(Mask mask, F32x16 a, F32x16 b) { return _mm512_mask_blend_ps(mask, b, a); }
  static void store_mask(std::uint16_t* p, Mask mask) { *p = mask; }
  // e * 2^n with n in the low bits of k.
  static F32x16 shift_exponent(F32x16 e, F32x16 k) {
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(e), _mm512_slli_epi32(_mm512_castps_si512(k), 23)));
  }

  static F32x16 to_lanes(F32x16 pixels) {
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15),
                                 pixels);
  }
  static F32x16 to_pixels(F32x16 lanes) {
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15),
                                 lanes);
  }

  // One load for both halves. Left alone, GCC folds two broadcasting loads into the operations, and the loop
  // becomes bound by its loads.
  static __m512i broadcast_word(const std::uint64_t* word) {
#ifdef __GNUC__
    __m512i value;
    asm("vpbroadcastq %1, %0" : "=v"(value) : "m"(*word));
    return value;
#else
    return _mm512_set1_epi64(static_cast<long long>(*word));
#endif
  }

  // 64-bit counts, or words, of pixels 0..7 and 8..15.
  struct Counts {
    __m512i low, high;
  };

  // Eight pixels' shared xors of activations, as in bconv2d.h.
  struct Eight {
    __m512i first[4], first_second[4], first_third[4], all;

    void load(const std::uint64_t* above, const std::uint64_t* centre, const std::uint64_t* below) {
      const std::uint64_t* rows[3] = {above, centre, below};
      __m512i parity[3];
      for (int k = 0; k < 3; ++k) {
        const __m512i a = _mm512_loadu_si512(rows[k] - 1), b = _mm512_loadu_si512(rows[k]),
                      c = _mm512_loadu_si512(rows[k] + 1);
        first[k] = a;
        first_second[k] = _mm512_xor_si512(a, b);
        first_third[k] = _mm512_xor_si512(a, c);
        parity[k] = _mm512_xor_si512(first_second[k], c);
      }
      first[3] = parity[0];
      first_second[3] = _mm512_xor_si512(parity[0], parity[1]);
      first_third[3] = _mm512_xor_si512(parity[0], parity[2]);
      all = _mm512_xor_si512(first_second[3], parity[2]);
    }

    // Words of weight 2.
    __m512i carries(int adder, __m512i w1, __m512i w12, __m512i w13) const {
      const __m512i x12 = _mm512_xor_si512(first_second[adder], w12);
      const __m512i both =
          _mm512_ternarylogic_epi64(x12, first_third[adder], w13, 0x60);  // x12 & (d13 ^ w13)
      return _mm512_ternarylogic_epi64(both, first[adder], w1, 0x96);
    }
  };

  // Both halves of a block: a weight lives in a register for two uses only, beside the 26 of the activations.
  struct SharedTaps {
    SharedTaps(const BConv2DRow& row, int word, int block) {
      const std::size_t origin =
          packed_stride(row.width) * word + kMargin + static_cast<std::size_t>(kLanes) * block;
      low.load(row.above + origin, row.centre + origin, row.below + origin);
      high.load(row.above + origin + 8, row.centre + origin + 8, row.below + origin + 8);
    }

    Counts carries(int adder, const std::uint64_t* adders) const {
      const __m512i w12 = broadcast_word(adders + 3 * adder + 1),
                    w13 = broadcast_word(adders + 3 * adder + 2);
      const __m512i w1 = broadcast_word(adders + 3 * adder);
      return {low.carries(adder, w1, w12, w13), high.carries(adder, w1, w12, w13)};
    }

    Counts parities(const std::uint64_t* adders) const {
      const __m512i parity = broadcast_word(adders + 12);
      return {_mm512_xor_si512(low.all, parity), _mm512_xor_si512(high.all, parity)};
    }

    Eight low, high;
  };

  static F32x16 count_float(Counts counts) {
    const __m512i origin = _mm512_castps_si512(_mm512_set1_ps(kCountOrigin));
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi64(counts.low, _mm512_slli_epi64(counts.high, 32), origin, 0xFE));
  }
  static F32x16 count_float(Counts counts, const std::int32_t* partial) {
    counts.low = _mm512_add_epi64(counts.low, _mm512_load_si512(partial));
    const __m512i origin = _mm512_castps_si512(_mm512_set1_ps(kCountOrigin));
    return _mm512_castsi512_ps(
        _mm512_or_si512(_mm512_add_epi64(counts.low, _mm512_slli_epi64(counts.high, 32)), origin));
  }
  static void store_counts(std::int32_t* partial, Counts counts, bool add) {
    __m512i sum = _mm512_add_epi64(counts.low, _mm512_slli_epi64(counts.high, 32));
    if (add) sum = _mm512_add_epi64(sum, _mm512_load_si512(partial));
    _mm512_store_si512(partial, sum);
  }

  // Weights of 16 outputs in the order of `weight_lane`.
  struct DotWeights {
    explicit DotWeights(const std::uint64_t* p) : low(_mm512_load_si512(p)), high(_mm512_load_si512(p + 8)) {}
    __m512i low, high;
  };

  using Words = __m512i;
  static constexpr int kPeakBits = 512;
  static Words words(const std::uint64_t* p) { return _mm512_loadu_si512(p); }
  static void store_words(std::uint64_t* p, Words a) { _mm512_storeu_si512(p, a); }

  // Four channels' bytes a pixel, from lane order: the low bits of the numbers of `TailParams`.
  static void store_bytes(std::uint32_t* p, const F32x16* quad, Mask valid) {
    __m512i word = _mm512_castps_si512(quad[kQuad - 1]);
    for (int i = kQuad - 2; i >= 0; --i) {
      word = _mm512_add_epi32(_mm512_slli_epi32(word, 8), _mm512_castps_si512(quad[i]));
    }
    word = _mm512_sub_epi32(word, _mm512_set1_epi32(static_cast<int>(kQuadOrigin)));
    word = _mm512_mask_mov_epi32(_mm512_set1_epi32(static_cast<int>(kZeroBytes)), valid, word);
    _mm512_storeu_si512(p, _mm512_castps_si512(to_pixels(_mm512_castsi512_ps(word))));
  }

  using Bytes = __m512i;
  using ByteSums = __m512i;
  static Bytes load_bytes(const std::uint32_t* p) { return _mm512_loadu_si512(p); }
  static Bytes weight_bytes(const std::uint32_t* p) { return _mm512_set1_epi32(static_cast<int>(*p)); }
  static ByteSums begin_sums(std::int32_t origin) { return _mm512_set1_epi32(origin); }

  static constexpr int kProductRows = 6;
  using PartialSums = __m512i;
  static Bytes broadcast_codes(const std::uint8_t* p) {
    std::int32_t codes;
    std::memcpy(&codes, p, sizeof codes);
    return _mm512_set1_epi32(codes);
  }
  static Bytes load_weights(const std::int8_t* p) { return _mm512_load_si512(p); }
  static PartialSums begin_partial() { return _mm512_setzero_si512(); }
  static ByteSums load_sums(const std::int32_t* p) { return _mm512_load_si512(p); }
  static void store_sums(std::int32_t* p, ByteSums sums) { _mm512_store_si512(p, sums); }

  using Vector = __m512;
  static constexpr int kVectorFloats = 16;
  static constexpr int kTailVectors = 2;
  static Vector broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static void store_vector(float* p, Vector a) { _mm512_storeu_ps(p, a); }
  static Vector float_sums(ByteSums sums) { return _mm512_cvtepi32_ps(sums); }
};

}  // namespace
}  // namespace scales
