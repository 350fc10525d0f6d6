// AVX2 with FMA (Haswell, Zen and later).
#include <immintrin.h>

#include <cstring>

#include "kernels/vector_kernels.h"

namespace scales {
namespace {

// How many bits of a nibble differ from those of a pair of nibbles, in the halves of a byte.
struct PairTables {
  constexpr PairTables() {
    constexpr std::uint8_t kBits[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
    for (int pair = 0; pair < 256; ++pair) {
      for (int nibble = 0; nibble < 16; ++nibble) {
        const int first = kBits[(pair & 15) ^ nibble], second = kBits[pair >> 4 ^ nibble];
        counts[pair][nibble] = static_cast<std::uint8_t>(first | second << 4);
      }
    }
  }
  alignas(64) std::uint8_t counts[256][16]{};
};
constexpr PairTables kPairTables;

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

  // Counts by the table form of bconv2d.h. The first block of a group of four counts them all: the planes of activations
  // that are made for it, four channels of a pixel a byte, and the loads of a table serve 64 pixels then.
  struct TableCounts {
    TableCounts(const BConv2DParams& conv, const BConv2DRow& row, int block, const RowScratch& scratch)
        : counts(scratch.counts + 32 * (block % kGroup / 2) + 8 * (block % 2)), lanes(scratch.partial) {
      if (block % kGroup == 0) count_group(conv, row, block, scratch.counts);
    }

    F32x16 floats(int o) const { return count_float(load(o)); }

    const std::int32_t* integers(int o) const {
      const Counts values = load(o);
      _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), values.a);
      _mm256_store_si256(reinterpret_cast<__m256i*>(lanes) + 1, values.b);
      return lanes;
    }

    Counts load(int o) const {
      const std::uint16_t* p = counts + kGroupPixels * o;
      return {_mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(p))),
              _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(p + 16)))};
    }

    static constexpr int kGroup = kGroupPixels / kLanes;
    const std::uint16_t* const counts;
    std::int32_t* const lanes;
  };

  static constexpr WeightForm kWeightForm = WeightForm::kPairs;
  template <bool kOneWord>
  using BlockCounts = TableCounts;

  // The bits of four channels a byte, for the pixels of a group and what lies left and right of them: a plane for each
  // kx, so that no load crosses a line of the cache.
  struct Planes {
    alignas(64) std::uint8_t bytes[3][kNibbles][3][kGroupPixels];

    Planes(const BConv2DRow& row, int word, int block, int blocks) {
      const std::size_t origin = packed_stride(row.width) * word + static_cast<std::size_t>(kLanes) * block;
      const std::uint64_t* rows[3] = {row.above + origin, row.centre + origin, row.below + origin};
      // Else half a register of pixels, whose counts are never used, would be uninitialised.
      if (blocks % 2 != 0) std::memset(bytes, 0, sizeof bytes);
      for (int ky = 0; ky < 3; ++ky) {
        for (int kx = 0; kx < 3; ++kx) {
          const std::uint64_t* words = rows[ky] + kMargin - 1 + kx;
          for (int i = 0; i < blocks; ++i) split(words + kLanes * i, bytes[ky][0][kx] + kLanes * i);
        }
      }
    }

    // 16 words to 16 bytes of each plane.
    static void split(const std::uint64_t* words, std::uint8_t* plane) {
      const __m256i by_byte = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15,  //
                                               0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
      __m256i twos[4];  // bytes 0 to 7 of words 2 i, 2 i + 1 and of 8 + 2 i, 9 + 2 i
      for (int i = 0; i < 4; ++i) {
        const __m256i both = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(words + 2 * i))),
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(words + 8 + 2 * i)), 1);
        twos[i] = _mm256_shuffle_epi8(both, by_byte);
      }
      for (int half = 0; half < 2; ++half) {
        const __m256i first = half ? _mm256_unpackhi_epi16(twos[0], twos[1])
                                   : _mm256_unpacklo_epi16(twos[0], twos[1]),
                      second = half ? _mm256_unpackhi_epi16(twos[2], twos[3])
                                    : _mm256_unpacklo_epi16(twos[2], twos[3]);
        store(_mm256_unpacklo_epi32(first, second), plane + kStride * (8 * half));
        store(_mm256_unpackhi_epi32(first, second), plane + kStride * (8 * half + 4));
      }
    }

    // Stores two bytes of 16 words as four planes.
    static void store(__m256i bytes, std::uint8_t* plane) {
      const __m256i nibble = _mm256_set1_epi8(15), pixels = _mm256_permute4x64_epi64(bytes, 0xD8);
      const __m256i low = _mm256_and_si256(pixels, nibble),
                    high = _mm256_and_si256(_mm256_srli_epi16(pixels, 4), nibble);
      const __m128i planes[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                                 _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
      for (int i = 0; i < 4; ++i) _mm_store_si128(reinterpret_cast<__m128i*>(plane + kStride * i), planes[i]);
    }

    static constexpr std::size_t kStride = sizeof bytes[0][0];
  };

  // Counts of all outputs in a group of blocks, [outputs][halves of the group][lanes 0..7, 8..15][two blocks][8].
  static void count_group(const BConv2DParams& conv, const BConv2DRow& row, int block,
                          std::uint16_t* counts) {
    const int left = block_count(row.width) - block;
    const int blocks = left < TableCounts::kGroup ? left : TableCounts::kGroup;
    for (int word = 0; word < conv.words; ++word) {
      const Planes planes(row, word, block, blocks);
      const int pairs = pair_count(conv.out_channels);
      for (int pair = 0; pair < pairs; ++pair) {
        const std::uint8_t* weights = static_cast<const std::uint8_t*>(conv.weights) +
                                      (static_cast<std::size_t>(word) * pairs + pair) * kPairBytes;
        std::uint16_t* sums = counts + 2 * kGroupPixels * pair;
        blocks > 2 ? count_pair<2>(planes, weights, sums, word > 0)
                   : count_pair<1>(planes, weights, sums, word > 0);
      }
    }
  }

  // Counts of two outputs, in the first or in both halves of a group.
  template <int kHalves>
  static void count_pair(const Planes& planes, const std::uint8_t* weights, std::uint16_t* counts, bool add) {
    __m256i first[kHalves][3], second[kHalves][3];  // [half][ky]: 32 bytes, each at most 3 x 64
    for (int ky = 0; ky < 3; ++ky) {
      BytePairs sums[kHalves];
      for (int begin = 0; begin < kNibbles; begin += 2) {
        for (int k = begin; k < begin + 2;
             ++k, weights += 3) {  // unrolled by two: more need too many registers
          __m256i found[kHalves];  // by three look-ups, at most 12 in each half of a byte
          for (int kx = 0; kx < 3; ++kx) {
            const __m256i table = _mm256_broadcastsi128_si256(
                _mm_load_si128(reinterpret_cast<const __m128i*>(kPairTables.counts[weights[kx]])));
            const __m256i* bits = reinterpret_cast<const __m256i*>(planes.bytes[ky][k][kx]);
            for (int half = 0; half < kHalves; ++half) {
              const __m256i count = _mm256_shuffle_epi8(table, _mm256_load_si256(bits + half));
              found[half] = kx == 0 ? count : _mm256_add_epi8(found[half], count);
            }
          }
          for (int half = 0; half < kHalves; ++half) sums[half].add(found[half]);
        }
      }
      for (int half = 0; half < kHalves; ++half) sums[half].separate(&first[half][ky], &second[half][ky]);
    }
    for (int half = 0; half < kHalves; ++half) {
      store_pixels(counts + 32 * half, first[half], add);
      store_pixels(counts + kGroupPixels + 32 * half, second[half], add);
    }
  }

  // Sums of the lower and of the upper halves of bytes, each below 256, without a mask in the loop. `all` sums the bytes,
  // modulo 256. `upper` sums them after a shift of 16-bit numbers by 4: an odd byte gives its upper half, an even one
  // also the odd byte's lower half, times 16.
  struct BytePairs {
    void add(__m256i bytes) {
      all = _mm256_add_epi8(all, bytes);
      upper = _mm256_add_epi8(upper, _mm256_srli_epi16(bytes, 4));
    }
    void separate(__m256i* lower_sum, __m256i* upper_sum) const {
      const __m256i odd_lower = _mm256_srli_epi16(_mm256_sub_epi8(all, times16(upper)), 8);
      *upper_sum = _mm256_sub_epi8(upper, times16(odd_lower));
      *lower_sum = _mm256_sub_epi8(all, times16(*upper_sum));
    }
    static __m256i times16(__m256i bytes) {
      return _mm256_slli_epi16(_mm256_and_si256(bytes, _mm256_set1_epi8(15)), 4);
    }

    __m256i all = _mm256_setzero_si256(), upper = _mm256_setzero_si256();
  };

  // The sums of three counts of 32 pixels, in 16 bits and in lane order.
  static void store_pixels(std::uint16_t* counts, const __m256i* bytes, bool add) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i low = zero, high = zero;  // pixels 0..7 and 8..15 of two blocks
    for (int ky = 0; ky < 3; ++ky) {
      low = _mm256_add_epi16(low, _mm256_unpacklo_epi8(bytes[ky], zero));
      high = _mm256_add_epi16(high, _mm256_unpackhi_epi8(bytes[ky], zero));
    }
    __m256i lanes[2] = {_mm256_unpacklo_epi16(low, high), _mm256_unpackhi_epi16(low, high)};
    for (int i = 0; i < 2; ++i) {
      __m256i* p = reinterpret_cast<__m256i*>(counts + 16 * i);
      if (add) lanes[i] = _mm256_add_epi16(lanes[i], _mm256_load_si256(p));
      _mm256_store_si256(p, lanes[i]);
    }
  }

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

  static F32x16 count_float(Counts counts) {
    const __m256 origin = _mm256_set1_ps(kCountOrigin);
    return {_mm256_or_ps(_mm256_castsi256_ps(counts.a), origin),
            _mm256_or_ps(_mm256_castsi256_ps(counts.b), origin)};
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

  static constexpr int kProductRows = 2;
  static constexpr int kPartialSteps = 64;  // each adds at most 510 to a number of 16 bits
  using PartialSums = __m256i;
  static Bytes broadcast_codes(const std::uint8_t* p) {
    std::int32_t codes;
    std::memcpy(&codes, p, sizeof codes);
    return _mm256_set1_epi32(codes);
  }
  static Bytes load_weights(const std::int8_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static PartialSums begin_partial() { return _mm256_setzero_si256(); }
  static PartialSums add_step(PartialSums sum, Bytes codes, Bytes weights) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, weights));
  }
  static ByteSums add_sums(ByteSums sum, PartialSums partial) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(partial, _mm256_set1_epi16(1)));
  }
  static ByteSums load_sums(const std::int32_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store_sums(std::int32_t* p, ByteSums sums) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(p), sums);
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
