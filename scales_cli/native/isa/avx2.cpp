// AVX2 with FMA (Haswell, Zen and later).
#include <immintrin.h>

#include "kernels/vector_kernels.h"

namespace scales {
namespace {

struct Avx2 {
  // Lanes 0..7 (pixels 0, 8, 1, 9, ...) and 8..15.
  struct F32x16 {
    __m256 a, b;
  };
  using Mask = F32x16;  // all ones or all zeros a lane

  static F32x16 load(const float* p) { return {_mm256_load_ps(p), _mm256_load_ps(p + 8)}; }
  static F32x16 loadu(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, F32x16 x) {
    _mm256_store_ps(p, x.a);
    _mm256_store_ps(p + 8, x.b);
  }
  static void storeu(float* p, F32x16 x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
  }
  static void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
  static F32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F32x16 add(F32x16 x, F32x16 y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static F32x16 sub(F32x16 x, F32x16 y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  static F32x16 mul(F32x16 x, F32x16 y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static F32x16 div(F32x16 x, F32x16 y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  static F32x16 min(F32x16 x, F32x16 y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  static F32x16 max(F32x16 x, F32x16 y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  static F32x16 fma(F32x16 x, F32x16 y, F32x16 z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
  }
  static F32x16 fms(F32x16 x, F32x16 y, F32x16 z) {
    return {_mm256_fmsub_ps(x.a, y.a, z.a), _mm256_fmsub_ps(x.b, y.b, z.b)};
  }
  static Mask mask(unsigned lanes) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i low = _mm256_set1_epi32(static_cast<int>(lanes & 0xFF)),
                  high = _mm256_set1_epi32(static_cast<int>(lanes >> 8));
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(low, bit), bit)),
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(high, bit), bit))};
  }
  static Mask ge(F32x16 x, F32x16 y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_GE_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_GE_OQ)};
  }
  static F32x16 select(Mask mask, F32x16 x, F32x16 y) {
    return {_mm256_blendv_ps(y.a, x.a, mask.a), _mm256_blendv_ps(y.b, x.b, mask.b)};
  }
  static void store_mask(std::uint16_t* p, Mask mask) {
    *p = static_cast<std::uint16_t>(_mm256_movemask_ps(mask.a) | _mm256_movemask_ps(mask.b) << 8);
  }
  // e * 2^n with n in the low bits of k.
  static F32x16 shift_exponent(F32x16 e, F32x16 k) {
    return {shift_exponent(e.a, k.a), shift_exponent(e.b, k.b)};
  }
  static __m256 shift_exponent(__m256 e, __m256 k) {
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(e), _mm256_slli_epi32(_mm256_castps_si256(k), 23)));
  }

  static F32x16 to_lanes(F32x16 pixels) {
    const __m256 low = _mm256_unpacklo_ps(pixels.a, pixels.b), high = _mm256_unpackhi_ps(pixels.a, pixels.b);
    return {_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
  }
  static F32x16 to_pixels(F32x16 lanes) {
    const __m256 low = _mm256_permute2f128_ps(lanes.a, lanes.b, 0x20),
                 high = _mm256_permute2f128_ps(lanes.a, lanes.b, 0x31);
    return {_mm256_shuffle_ps(low, high, 0x88), _mm256_shuffle_ps(low, high, 0xDD)};
  }

  // 32-bit counts in lane order.
  struct Counts {
    __m256i a, b;
  };

  // Shared xors of activations, as in bconv2d.h; they stay in the L1 cache, four pixels a register.
  struct Taps {
    Taps(const BConv2DRow& row, int word, int block) {
      const std::size_t origin =
          packed_stride(row.width) * word + kMargin + static_cast<std::size_t>(kLanes) * block;
      const std::uint64_t* rows[3] = {row.above + origin, row.centre + origin, row.below + origin};
      for (int four = 0; four < 4; ++four) {
        __m256i parity[3];
        for (int k = 0; k < 3; ++k) {
          const std::uint64_t* pixels = rows[k] + 4 * four;
          const __m256i x = load_words(pixels - 1), y = load_words(pixels), z = load_words(pixels + 1);
          shared[four][3 * k] = x;
          shared[four][3 * k + 1] = _mm256_xor_si256(x, y);
          shared[four][3 * k + 2] = _mm256_xor_si256(x, z);
          parity[k] = _mm256_xor_si256(shared[four][3 * k + 1], z);
        }
        shared[four][9] = parity[0];
        shared[four][10] = _mm256_xor_si256(parity[0], parity[1]);
        shared[four][11] = _mm256_xor_si256(parity[0], parity[2]);
        shared[four][12] = _mm256_xor_si256(shared[four][10], parity[2]);
      }
    }

    Counts differing(const std::uint64_t* adders) const {
      return {count(shared[0], shared[2], adders), count(shared[1], shared[3], adders)};
    }

    // Four pixels each of the lower and the upper half of a block: they share the loads of the weights.
    struct Pair {
      __m256i low, high;
    };

    static Pair exclusive_or(Pair x, Pair y) {
      return {_mm256_xor_si256(x.low, y.low), _mm256_xor_si256(x.high, y.high)};
    }
    static Pair both(Pair x, Pair y) {
      return {_mm256_and_si256(x.low, y.low), _mm256_and_si256(x.high, y.high)};
    }

    static Pair difference(const __m256i* low, const __m256i* high, int index, const std::uint64_t* adders) {
      const __m256i weight = _mm256_set1_epi64x(static_cast<long long>(adders[index]));
      return {_mm256_xor_si256(low[index], weight), _mm256_xor_si256(high[index], weight)};
    }

    static Pair carries(const __m256i* low, const __m256i* high, int adder, const std::uint64_t* adders) {
      const Pair x12 = difference(low, high, 3 * adder + 1, adders),
                 x13 = difference(low, high, 3 * adder + 2, adders);
      return exclusive_or(difference(low, high, 3 * adder, adders), both(x12, x13));
    }

    // 32-bit counts in lane order. A fifth adder over three of the carries leaves words of weight 1, 2, 2 and
    // 4.
    static __m256i count(const __m256i* low, const __m256i* high, const std::uint64_t* adders) {
      const Pair x = carries(low, high, 0, adders), y = carries(low, high, 1, adders),
                 z = carries(low, high, 2, adders);
      const Pair xy = exclusive_or(x, y), xz = exclusive_or(x, z);
      const Pair fours = exclusive_or(x, both(xy, xz)), twos = exclusive_or(xy, z),
                 more_twos = carries(low, high, 3, adders), ones = difference(low, high, 12, adders);
      const __m256i upper = total(ones.high, twos.high, more_twos.high, fours.high);
      return _mm256_or_si256(total(ones.low, twos.low, more_twos.low, fours.low),
                             _mm256_slli_epi64(upper, 32));
    }

    // 64-bit counts; at most 9 taps of 8 bits a byte.
    static __m256i total(__m256i ones, __m256i twos, __m256i more_twos, __m256i fours) {
      const __m256i four_count = byte_counts(fours);
      const __m256i half = _mm256_add_epi8(_mm256_add_epi8(byte_counts(twos), byte_counts(more_twos)),
                                           _mm256_add_epi8(four_count, four_count));
      return _mm256_sad_epu8(_mm256_add_epi8(byte_counts(ones), _mm256_add_epi8(half, half)),
                             _mm256_setzero_si256());
    }

    __m256i shared[4][kAdderWords];
  };

  static __m256i load_words(const std::uint64_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }

  static __m256i byte_counts(__m256i bits) {
    const __m256i nibble_count = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                                  0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i low = _mm256_and_si256(bits, nibble),
                  high = _mm256_and_si256(_mm256_srli_epi32(bits, 4), nibble);
    return _mm256_add_epi8(_mm256_shuffle_epi8(nibble_count, low), _mm256_shuffle_epi8(nibble_count, high));
  }

  static Counts load_counts(const std::int32_t* p) {
    const __m256i* vectors = reinterpret_cast<const __m256i*>(p);
    return {_mm256_load_si256(vectors), _mm256_load_si256(vectors + 1)};
  }
  static Counts add_counts(Counts x, Counts y) {
    return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
  }

  static F32x16 count_float(Counts counts) {
    const __m256 origin = _mm256_set1_ps(kCountOrigin);
    return {_mm256_or_ps(_mm256_castsi256_ps(counts.a), origin),
            _mm256_or_ps(_mm256_castsi256_ps(counts.b), origin)};
  }
  static F32x16 count_float(Counts counts, const std::int32_t* partial) {
    return count_float(add_counts(counts, load_counts(partial)));
  }
  static void store_counts(std::int32_t* partial, Counts counts, bool add) {
    if (add) counts = add_counts(counts, load_counts(partial));
    __m256i* vectors = reinterpret_cast<__m256i*>(partial);
    _mm256_store_si256(vectors, counts.a);
    _mm256_store_si256(vectors + 1, counts.b);
  }

  // 64 masks of 16 lanes to 16 words of 64 channels: the top bits of 32 bytes at a time.
  static void transpose(const std::uint16_t* masks, std::uint64_t* words) {
    for (int half = 0; half < 2; ++half) {
      const __m256i* source = reinterpret_cast<const __m256i*>(masks + 32 * half);
      const __m256i first = _mm256_loadu_si256(source), second = _mm256_loadu_si256(source + 1);
      const __m256i byte = _mm256_set1_epi16(0xFF);
      // packus works within 128-bit halves: the permutation puts the channels back in order.
      __m256i low = _mm256_packus_epi16(_mm256_and_si256(first, byte), _mm256_and_si256(second, byte));
      __m256i high = _mm256_packus_epi16(_mm256_srli_epi16(first, 8), _mm256_srli_epi16(second, 8));
      low = _mm256_permute4x64_epi64(low, 0xD8);
      high = _mm256_permute4x64_epi64(high, 0xD8);
      for (int lane = 7; lane >= 0; --lane) {
        store_half(words, lane, half, _mm256_movemask_epi8(low));
        store_half(words, lane + 8, half, _mm256_movemask_epi8(high));
        low = _mm256_add_epi8(low, low);
        high = _mm256_add_epi8(high, high);
      }
    }
  }
  static void store_half(std::uint64_t* words, int lane, int half, int bits) {
    const int pixel = lane / 2 + 8 * (lane % 2);
    const std::uint64_t value = static_cast<std::uint32_t>(bits);
    words[pixel] = half == 0 ? value : words[pixel] | value << 32;
  }

  // Weights of 16 outputs in the order of `weight_lane`.
  struct DotWeights {
    explicit DotWeights(const std::uint64_t* p) {
      for (int i = 0; i < 4; ++i) words[i] = load_words(p + 4 * i);
    }
    __m256i words[4];
  };

  // Differing bits of one pixel and 16 outputs.
  struct Dot {
    __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                       _mm256_setzero_si256()};

    void add(std::uint64_t bits, const DotWeights& weights) {
      const __m256i pixel = _mm256_set1_epi64x(static_cast<long long>(bits));
      for (int i = 0; i < 4; ++i) {
        const __m256i bytes = byte_counts(_mm256_xor_si256(pixel, weights.words[i]));
        sums[i] = _mm256_add_epi64(sums[i], _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
      }
    }
    Counts counts() const {
      return {_mm256_or_si256(sums[0], _mm256_slli_epi64(sums[2], 32)),
              _mm256_or_si256(sums[1], _mm256_slli_epi64(sums[3], 32))};
    }
  };

  using Words = __m256i;
  static constexpr int kPeakBits = 256;
  static Words words(const std::uint64_t* p) { return load_words(p); }
  static void store_words(std::uint64_t* p, Words a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
  }
  static Words add_differing(Words sum, Words x, Words y) {
    return _mm256_add_epi8(sum, byte_counts(_mm256_xor_si256(x, y)));
  }

  // Four channels' bytes a pixel, from lane order: the low bits of the numbers of `TailParams`.
  static void store_bytes(std::uint32_t* p, const F32x16* quad, Mask valid) {
    F32x16 word = quad[kQuad - 1];
    for (int i = kQuad - 2; i >= 0; --i) {
      word = {append_byte(word.a, quad[i].a), append_byte(word.b, quad[i].b)};
    }
    const __m256 origin = _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(kQuadOrigin)));
    const __m256 zero = _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(kZeroBytes)));
    word = {subtract_bits(word.a, origin), subtract_bits(word.b, origin)};
    storeu(reinterpret_cast<float*>(p), to_pixels(select(valid, word, {zero, zero})));
  }
  static __m256 append_byte(__m256 word, __m256 byte) {
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(word), 8), _mm256_castps_si256(byte)));
  }
  static __m256 subtract_bits(__m256 a, __m256 b) {
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
  }

  using Bytes = __m256i;
  using ByteSums = __m256i;
  static Bytes load_bytes(const std::uint32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Bytes weight_bytes(const std::uint32_t* p) { return _mm256_set1_epi32(static_cast<int>(*p)); }
  static ByteSums begin_sums(std::int32_t origin) { return _mm256_set1_epi32(origin); }
  static ByteSums add_products(ByteSums sum, const Bytes* input, const Bytes* weight) {
    for (int i = 0; i < 3; ++i) {
      const __m256i pairs = _mm256_maddubs_epi16(input[i], weight[i]);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    return sum;
  }

  using Vector = __m256;
  static constexpr int kVectorFloats = 8;
  static constexpr int kTailVectors = 1;
  static Vector broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static void store_vector(float* p, Vector a) { _mm256_storeu_ps(p, a); }
  static Vector float_sums(ByteSums sums) { return _mm256_cvtepi32_ps(sums); }
};

}  // namespace

const KernelTable kAvx2Kernels = vector_kernels<Avx2>("avx2");

}  // namespace scales
