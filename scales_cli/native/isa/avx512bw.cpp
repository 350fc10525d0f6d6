// AVX-512 F, BW, DQ and VL only (Skylake-X, Cascade Lake): bits are counted by table look-ups.
#include "isa/avx512_lanes.h"

namespace scales {
namespace {

struct Avx512Bw : Avx512Lanes {
  static constexpr WeightForm kWeightForm = WeightForm::kAdders;
  template <bool kOneWord>
  using BlockCounts = CarrySaveCounts<Avx512Bw, kOneWord>;

  struct Taps : SharedTaps {
    using SharedTaps::SharedTaps;

    Counts differing(const std::uint64_t* adders) const {
      const Counts x = carries(0, adders), y = carries(1, adders), z = carries(2, adders),
                   more_twos = carries(3, adders), ones = parities(adders);
      return {total(ones.low, more_twos.low, x.low, y.low, z.low),
              total(ones.high, more_twos.high, x.high, y.high, z.high)};
    }

    // 64-bit counts. A fifth adder over three of the carries leaves words of weight 1, 2, 2 and 4; at most 9
    // taps of 8 bits a byte.
    static __m512i total(__m512i ones, __m512i more_twos, __m512i x, __m512i y, __m512i z) {
      const __m512i twos = _mm512_ternarylogic_epi64(x, y, z, 0x96),
                    fours = _mm512_ternarylogic_epi64(x, y, z, 0xE8);
      const __m512i counts =
          _mm512_add_epi8(_mm512_add_epi8(byte_counts<1>(ones), byte_counts<4>(fours)),
                          _mm512_add_epi8(byte_counts<2>(twos), byte_counts<2>(more_twos)));
      return _mm512_sad_epu8(counts, _mm512_setzero_si512());
    }
  };

  // kWeight times the number of set bits of each byte.
  template <int kWeight>
  static __m512i byte_counts(__m512i bits) {
    const __m512i nibble_count = _mm512_broadcast_i32x4(_mm_setr_epi8(
        0, kWeight, kWeight, 2 * kWeight, kWeight, 2 * kWeight, 2 * kWeight, 3 * kWeight, kWeight,
        2 * kWeight, 2 * kWeight, 3 * kWeight, 2 * kWeight, 3 * kWeight, 3 * kWeight, 4 * kWeight));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i low = _mm512_and_si512(bits, nibble),
                  high = _mm512_and_si512(_mm512_srli_epi32(bits, 4), nibble);
    return _mm512_add_epi8(_mm512_shuffle_epi8(nibble_count, low), _mm512_shuffle_epi8(nibble_count, high));
  }

  // 64 masks of 16 lanes to 16 words of 64 channels: the top bits of 64 bytes at a time.
  static void transpose(const std::uint16_t* masks, std::uint64_t* words) {
    const __m512i first = _mm512_loadu_si512(masks), second = _mm512_loadu_si512(masks + 32);
    __m512i low = bytes(first, second);
    __m512i high = bytes(_mm512_srli_epi16(first, 8), _mm512_srli_epi16(second, 8));
    for (int lane = 7; lane >= 0; --lane) {
      const int pixel = lane / 2 + 8 * (lane % 2);
      words[pixel] = _mm512_movepi8_mask(low);
      words[pixel + 4] = _mm512_movepi8_mask(high);
      low = _mm512_add_epi8(low, low);
      high = _mm512_add_epi8(high, high);
    }
  }
  // The lower bytes of 64 numbers of 16 bits.
  static __m512i bytes(__m512i first, __m512i second) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(first)),
                              _mm512_cvtepi16_epi8(second), 1);
  }

  // Differing bits of one pixel and 16 outputs.
  struct Dot {
    Counts sum = {_mm512_setzero_si512(), _mm512_setzero_si512()};

    void add(std::uint64_t bits, const DotWeights& weights) {
      const __m512i pixel = _mm512_set1_epi64(static_cast<long long>(bits));
      sum.low = _mm512_add_epi64(sum.low, count(_mm512_xor_si512(pixel, weights.low)));
      sum.high = _mm512_add_epi64(sum.high, count(_mm512_xor_si512(pixel, weights.high)));
    }
    static __m512i count(__m512i words) {
      return _mm512_sad_epu8(byte_counts<1>(words), _mm512_setzero_si512());
    }
    Counts counts() const { return sum; }
  };

  static ByteSums add_products(ByteSums sum, const Bytes* input, const Bytes* weight) {
    for (int i = 0; i < 3; ++i) {
      const __m512i pairs = _mm512_maddubs_epi16(input[i], weight[i]);
      sum = _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
    }
    return sum;
  }

  static constexpr int kPartialSteps = 64;  // each adds at most 510 to a number of 16 bits
  static PartialSums add_step(PartialSums sum, Bytes codes, Bytes weights) {
    return _mm512_add_epi16(sum, _mm512_maddubs_epi16(codes, weights));
  }
  static ByteSums add_sums(ByteSums sum, PartialSums partial) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(partial, _mm512_set1_epi16(1)));
  }

  static Words add_differing(Words sum, Words x, Words y) {
    return _mm512_add_epi8(sum, byte_counts<1>(_mm512_xor_si512(x, y)));
  }
};

}  // namespace

const KernelTable kAvx512BwKernels = vector_kernels<Avx512Bw>("avx512bw");

}  // namespace scales
