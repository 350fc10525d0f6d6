// AVX-512 with VPOPCNTDQ, VNNI, VBMI and GFNI (Ice Lake, Zen 4 and later).
#include "isa/avx512_lanes.h"

namespace scales {
namespace {

// Byte permutations that surround the 8x8 bit transposition of `Avx512::transpose`.
struct ByteIndex {
  unsigned char low[64], high[64], even[64], odd[64];

  static constexpr ByteIndex make() {
    ByteIndex index{};
    for (int group = 0; group < 8; ++group) {
      for (int i = 0; i < 8; ++i) {
        // Byte 2c of the two registers is the low half of channel c's mask. GFNI reads a matrix's row 0 from
        // its top byte.
        const int channel = 8 * group + 7 - i;
        index.low[8 * group + i] = static_cast<unsigned char>(2 * channel);
        index.high[8 * group + i] = static_cast<unsigned char>(2 * channel + 1);
        // Byte `group` of the word of pixel i: its lane 2i (+ 1 for pixel i + 8) is byte lane % 8 of the
        // group's eight.
        const int lane = 2 * i;
        index.even[8 * i + group] = static_cast<unsigned char>(64 * (lane / 8) + 8 * group + lane % 8);
        index.odd[8 * i + group] = static_cast<unsigned char>(64 * (lane / 8) + 8 * group + lane % 8 + 1);
      }
    }
    return index;
  }
};

alignas(64) constexpr ByteIndex kByteIndex = ByteIndex::make();

struct Avx512 : Avx512Lanes {
  static constexpr WeightForm kWeightForm = WeightForm::kAdders;
  template <bool kOneWord>
  using BlockCounts = CarrySaveCounts<Avx512, kOneWord>;

  struct Taps : SharedTaps {
    using SharedTaps::SharedTaps;

    // Counted adder by adder.
    Counts differing(const std::uint64_t* adders) const {
      Counts twos = counted(carries(0, adders));
      for (int adder = 1; adder < 4; ++adder) {
        const Counts more = counted(carries(adder, adders));
        twos = {_mm512_add_epi64(twos.low, more.low), _mm512_add_epi64(twos.high, more.high)};
      }
      const Counts ones = counted(parities(adders));
      const __m512i two = _mm512_set1_epi32(2);  // ones + 2 twos in one operation
      return {_mm512_dpwssd_epi32(ones.low, twos.low, two), _mm512_dpwssd_epi32(ones.high, twos.high, two)};
    }

    static Counts counted(Counts words) {
      return {_mm512_popcnt_epi64(words.low), _mm512_popcnt_epi64(words.high)};
    }
  };

  // 64 masks of 16 lanes to 16 words of 64 channels: 8x8 bit matrices by GFNI, their bytes by VBMI.
  static void transpose(const std::uint16_t* masks, std::uint64_t* words) {
    const __m512i a = _mm512_loadu_si512(masks), b = _mm512_loadu_si512(masks + 32);
    const __m512i unit = _mm512_set1_epi64(static_cast<long long>(0x8040201008040201ULL));
    // Bytes of lanes 0..7 and of lanes 8..15, a channel each, in reversed order within eight channels.
    const __m512i low = _mm512_permutex2var_epi8(a, _mm512_load_si512(kByteIndex.low), b);
    const __m512i high = _mm512_permutex2var_epi8(a, _mm512_load_si512(kByteIndex.high), b);
    const __m512i low_bits = _mm512_gf2p8affine_epi64_epi8(unit, low, 0);
    const __m512i high_bits = _mm512_gf2p8affine_epi64_epi8(unit, high, 0);
    _mm512_storeu_si512(words,
                        _mm512_permutex2var_epi8(low_bits, _mm512_load_si512(kByteIndex.even), high_bits));
    _mm512_storeu_si512(words + 8,
                        _mm512_permutex2var_epi8(low_bits, _mm512_load_si512(kByteIndex.odd), high_bits));
  }

  // Differing bits of one pixel and 16 outputs.
  struct Dot {
    Counts sum = {_mm512_setzero_si512(), _mm512_setzero_si512()};

    void add(std::uint64_t bits, const DotWeights& weights) {
      const __m512i pixel = _mm512_set1_epi64(static_cast<long long>(bits));
      sum.low = add_differing(sum.low, pixel, weights.low);
      sum.high = add_differing(sum.high, pixel, weights.high);
    }
    Counts counts() const { return sum; }
  };

  static ByteSums add_products(ByteSums sum, const Bytes* input, const Bytes* weight) {
    for (int i = 0; i < 3; ++i) sum = _mm512_dpbusd_epi32(sum, input[i], weight[i]);
    return sum;
  }

  static constexpr int kPartialSteps = 1 << 20;  // the sums have 32 bits
  static PartialSums add_step(PartialSums sum, Bytes codes, Bytes weights) {
    return _mm512_dpbusd_epi32(sum, codes, weights);
  }
  static ByteSums add_sums(ByteSums sum, PartialSums partial) { return _mm512_add_epi32(sum, partial); }

  static Words add_differing(Words sum, Words x, Words y) {
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(x, y)));
  }
};

}  // namespace

const KernelTable kAvx512Kernels = vector_kernels<Avx512>("avx512");

}  // namespace scales
