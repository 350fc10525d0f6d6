// NEON of AArch64.
#include <arm_neon.h>

#include "kernels/vector_kernels.h"

namespace scales {
namespace {

struct Neon {
  // Lanes 0..3 (pixels 0, 8, 1, 9), 4..7, 8..11 and 12..15.
  struct F32x16 {
    float32x4_t q[4];
  };
  struct Mask {
    uint32x4_t q[4];
  };

  template <class Operation>
  static F32x16 each(Operation operation) {
    return {{operation(0), operation(1), operation(2), operation(3)}};
  }

  static F32x16 load(const float* p) {
    return each([=](int i) { return vld1q_f32(p + 4 * i); });
  }
  static F32x16 loadu(const float* p) { return load(p); }
  static void store(float* p, F32x16 x) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, x.q[i]);
  }
  static void storeu(float* p, F32x16 x) { store(p, x); }
  static void prefetch(const float* p) { __builtin_prefetch(p); }
  static F32x16 set1(float x) {
    return each([=](int) { return vdupq_n_f32(x); });
  }
  static F32x16 add(F32x16 x, F32x16 y) {
    return each([&](int i) { return vaddq_f32(x.q[i], y.q[i]); });
  }
  static F32x16 sub(F32x16 x, F32x16 y) {
    return each([&](int i) { return vsubq_f32(x.q[i], y.q[i]); });
  }
  static F32x16 mul(F32x16 x, F32x16 y) {
    return each([&](int i) { return vmulq_f32(x.q[i], y.q[i]); });
  }
  static F32x16 div(F32x16 x, F32x16 y) {
    return each([&](int i) { return vdivq_f32(x.q[i], y.q[i]); });
  }
  // The second operand where either is NaN, as on x86.
  static F32x16 min(F32x16 x, F32x16 y) {
    return each([&](int i) { return vbslq_f32(vcltq_f32(x.q[i], y.q[i]), x.q[i], y.q[i]); });
  }
  static F32x16 max(F32x16 x, F32x16 y) {
    return each([&](int i) { return vbslq_f32(vcgtq_f32(x.q[i], y.q[i]), x.q[i], y.q[i]); });
  }
  static F32x16 fma(F32x16 x, F32x16 y, F32x16 z) {
    return each([&](int i) { return vfmaq_f32(z.q[i], x.q[i], y.q[i]); });
  }
  static F32x16 fms(F32x16 x, F32x16 y, F32x16 z) {
    return each([&](int i) { return vfmaq_f32(vnegq_f32(z.q[i]), x.q[i], y.q[i]); });
  }
  static Mask mask(unsigned lanes) {
    static constexpr std::uint32_t kBits[4] = {1, 2, 4, 8};
    Mask result;
    for (int i = 0; i < 4; ++i) result.q[i] = vtstq_u32(vdupq_n_u32(lanes >> (4 * i)), vld1q_u32(kBits));
    return result;
  }
  static Mask ge(F32x16 x, F32x16 y) {
    Mask result;
    for (int i = 0; i < 4; ++i) result.q[i] = vcgeq_f32(x.q[i], y.q[i]);
    return result;
  }
  static F32x16 select(Mask mask, F32x16 x, F32x16 y) {
    return each([&](int i) { return vbslq_f32(mask.q[i], x.q[i], y.q[i]); });
  }
  static void store_mask(std::uint16_t* p, Mask mask) {
    static constexpr std::uint16_t kBits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t bits = vld1q_u16(kBits);
    const uint16x8_t low = vcombine_u16(vmovn_u32(mask.q[0]), vmovn_u32(mask.q[1]));
    const uint16x8_t high = vcombine_u16(vmovn_u32(mask.q[2]), vmovn_u32(mask.q[3]));
    *p =
        static_cast<std::uint16_t>(vaddvq_u16(vandq_u16(low, bits)) | vaddvq_u16(vandq_u16(high, bits)) << 8);
  }
  // e * 2^n with n in the low bits of k.
  static F32x16 shift_exponent(F32x16 e, F32x16 k) {
    return each([&](int i) {
      return vreinterpretq_f32_s32(
          vaddq_s32(vreinterpretq_s32_f32(e.q[i]), vshlq_n_s32(vreinterpretq_s32_f32(k.q[i]), 23)));
    });
  }

  static F32x16 to_lanes(F32x16 pixels) {
    return {{vzip1q_f32(pixels.q[0], pixels.q[2]), vzip2q_f32(pixels.q[0], pixels.q[2]),
             vzip1q_f32(pixels.q[1], pixels.q[3]), vzip2q_f32(pixels.q[1], pixels.q[3])}};
  }
  static F32x16 to_pixels(F32x16 lanes) {
    return {{vuzp1q_f32(lanes.q[0], lanes.q[1]), vuzp1q_f32(lanes.q[2], lanes.q[3]),
             vuzp2q_f32(lanes.q[0], lanes.q[1]), vuzp2q_f32(lanes.q[2], lanes.q[3])}};
  }

  // 32-bit counts in lane order.
  struct Counts {
    uint32x4_t q[4];
  };

  static constexpr WeightForm kWeightForm = WeightForm::kAdders;
  template <bool kOneWord>
  using BlockCounts = CarrySaveCounts<Neon, kOneWord>;

  // Shared xors of activations, as in bconv2d.h, two pixels a register.
  struct Taps {
    Taps(const BConv2DRow& row, int word, int block) {
      const std::size_t origin =
          packed_stride(row.width) * word + kMargin + static_cast<std::size_t>(kLanes) * block;
      const std::uint64_t* rows[3] = {row.above + origin, row.centre + origin, row.below + origin};
      for (int pair = 0; pair < 8; ++pair) {
        uint64x2_t parity[3];
        for (int k = 0; k < 3; ++k) {
          const std::uint64_t* pixels = rows[k] + 2 * pair;
          const uint64x2_t x = vld1q_u64(pixels - 1), y = vld1q_u64(pixels), z = vld1q_u64(pixels + 1);
          shared[pair][3 * k] = x;
          shared[pair][3 * k + 1] = veorq_u64(x, y);
          shared[pair][3 * k + 2] = veorq_u64(x, z);
          parity[k] = veorq_u64(shared[pair][3 * k + 1], z);
        }
        shared[pair][9] = parity[0];
        shared[pair][10] = veorq_u64(parity[0], parity[1]);
        shared[pair][11] = veorq_u64(parity[0], parity[2]);
        shared[pair][12] = veorq_u64(shared[pair][10], parity[2]);
      }
    }

    Counts differing(const std::uint64_t* adders) const {
      uint64x2_t words[kAdderWords];
      for (int i = 0; i < kAdderWords; ++i) words[i] = vdupq_n_u64(adders[i]);
      Counts counts;
      for (int pair = 0; pair < 4; ++pair) {
        counts.q[pair] = vreinterpretq_u32_u64(vsliq_n_u64(count(pair, words), count(pair + 4, words), 32));
      }
      return counts;
    }

    uint8x16_t carries(int pair, int adder, const uint64x2_t* w) const {
      const uint64x2_t x1 = veorq_u64(shared[pair][3 * adder], w[3 * adder]);
      const uint64x2_t x12 = veorq_u64(shared[pair][3 * adder + 1], w[3 * adder + 1]);
      const uint64x2_t x13 = veorq_u64(shared[pair][3 * adder + 2], w[3 * adder + 2]);
      return vcntq_u8(vreinterpretq_u8_u64(veorq_u64(x1, vandq_u64(x12, x13))));
    }

    // 64-bit counts of two pixels; at most 9 taps of 8 bits a byte.
    uint64x2_t count(int pair, const uint64x2_t* w) const {
      const uint8x16_t twos = vaddq_u8(vaddq_u8(carries(pair, 0, w), carries(pair, 1, w)),
                                       vaddq_u8(carries(pair, 2, w), carries(pair, 3, w)));
      const uint8x16_t ones = vcntq_u8(vreinterpretq_u8_u64(veorq_u64(shared[pair][12], w[12])));
      return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vaddq_u8(ones, vaddq_u8(twos, twos)))));
    }

    uint64x2_t shared[8][kAdderWords];
  };

  static F32x16 count_float(Counts counts) {
    const uint32x4_t origin = vreinterpretq_u32_f32(vdupq_n_f32(kCountOrigin));
    return each([&](int i) { return vreinterpretq_f32_u32(vorrq_u32(counts.q[i], origin)); });
  }
  static F32x16 count_float(Counts counts, const std::int32_t* partial) {
    return count_float(add_counts(counts, partial));
  }
  static Counts add_counts(Counts counts, const std::int32_t* partial) {
    for (int i = 0; i < 4; ++i) {
      counts.q[i] = vaddq_u32(counts.q[i], vreinterpretq_u32_s32(vld1q_s32(partial + 4 * i)));
    }
    return counts;
  }
  static void store_counts(std::int32_t* partial, Counts counts, bool add) {
    if (add) counts = add_counts(counts, partial);
    for (int i = 0; i < 4; ++i) vst1q_s32(partial + 4 * i, vreinterpretq_s32_u32(counts.q[i]));
  }

  // 64 masks of 16 lanes to 16 words of 64 channels: 8x8 bit matrices, transposed in a general register.
  static void transpose(const std::uint16_t* masks, std::uint64_t* words) {
    for (int i = 0; i < kLanes; ++i) words[i] = 0;
    for (int group = 0; group < 8; ++group) {
      const uint16x8_t eight = vld1q_u16(masks + 8 * group);
      const uint64x2_t bytes = vreinterpretq_u64_u8(
          vcombine_u8(vmovn_u16(eight), vshrn_n_u16(eight, 8)));  // lanes 0..7, then 8..15, of eight channels
      const std::uint64_t halves[2] = {transpose_bits(vgetq_lane_u64(bytes, 0)),
                                       transpose_bits(vgetq_lane_u64(bytes, 1))};
      for (int lane = 0; lane < kLanes; ++lane) {
        const int pixel = lane / 2 + 8 * (lane % 2);
        words[pixel] |= (halves[lane / 8] >> (8 * (lane % 8)) & 0xFF) << (8 * group);
      }
    }
  }
  static std::uint64_t transpose_bits(std::uint64_t x) {
    x = (x & 0xAA55AA55AA55AA55) | (x & 0x00AA00AA00AA00AA) << 7 | (x >> 7 & 0x00AA00AA00AA00AA);
    x = (x & 0xCCCC3333CCCC3333) | (x & 0x0000CCCC0000CCCC) << 14 | (x >> 14 & 0x0000CCCC0000CCCC);
    return (x & 0xF0F0F0F00F0F0F0F) | (x & 0x00000000F0F0F0F0) << 28 | (x >> 28 & 0x00000000F0F0F0F0);
  }

  // Weights of 16 outputs in the order of `weight_lane`.
  struct DotWeights {
    explicit DotWeights(const std::uint64_t* p) {
      for (int i = 0; i < 8; ++i) words[i] = vld1q_u64(p + 2 * i);
    }
    uint64x2_t words[8];
  };

  // Differing bits of one pixel and 16 outputs.
  struct Dot {
    Dot() {
      for (uint64x2_t& sum : sums) sum = vdupq_n_u64(0);
    }
    void add(std::uint64_t bits, const DotWeights& weights) {
      const uint64x2_t pixel = vdupq_n_u64(bits);
      for (int i = 0; i < 8; ++i) {
        const uint8x16_t bytes = vcntq_u8(vreinterpretq_u8_u64(veorq_u64(pixel, weights.words[i])));
        sums[i] = vaddq_u64(sums[i], vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(bytes))));
      }
    }
    Counts counts() const {
      Counts counts;
      for (int i = 0; i < 4; ++i) {
        counts.q[i] = vreinterpretq_u32_u64(vsliq_n_u64(sums[i], sums[i + 4], 32));
      }
      return counts;
    }
    uint64x2_t sums[8];
  };

  using Words = uint64x2_t;
  static constexpr int kPeakBits = 128;
  static Words words(const std::uint64_t* p) { return vld1q_u64(p); }
  static void store_words(std::uint64_t* p, Words a) { vst1q_u64(p, a); }
  static Words add_differing(Words sum, Words x, Words y) {
    const uint8x16_t counts = vcntq_u8(vreinterpretq_u8_u64(veorq_u64(x, y)));
    return vreinterpretq_u64_u8(vaddq_u8(vreinterpretq_u8_u64(sum), counts));
  }

  // Four channels' bytes a pixel, from lane order: the low bits of the numbers of `TailParams`.
  static void store_bytes(std::uint32_t* p, const F32x16* quad, Mask valid) {
    F32x16 word;
    for (int i = 0; i < 4; ++i) {
      uint32x4_t bits = vreinterpretq_u32_f32(quad[kQuad - 1].q[i]);
      for (int k = kQuad - 2; k >= 0; --k) {
        bits = vaddq_u32(vshlq_n_u32(bits, 8), vreinterpretq_u32_f32(quad[k].q[i]));
      }
      bits = vsubq_u32(bits, vdupq_n_u32(kQuadOrigin));
      word.q[i] = vreinterpretq_f32_u32(vbslq_u32(valid.q[i], bits, vdupq_n_u32(kZeroBytes)));
    }
    const F32x16 pixels = to_pixels(word);
    for (int i = 0; i < 4; ++i) vst1q_u32(p + 4 * i, vreinterpretq_u32_f32(pixels.q[i]));
  }

  using Bytes = int8x16_t;
  // Sums over two of a pixel's four channels each: of pixels 0 and 1, and of pixels 2 and 3.
  struct ByteSums {
    int32x4_t low, high;
  };
  static Bytes load_bytes(const std::uint32_t* p) {
    return vreinterpretq_s8_u32(veorq_u32(vld1q_u32(p), vdupq_n_u32(kZeroBytes)));  // q itself
  }
  static Bytes weight_bytes(const std::uint32_t* p) { return vreinterpretq_s8_u32(vld1q_dup_u32(p)); }
  static ByteSums begin_sums(std::int32_t) { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  // Three products of at most 64 and 127 fit in 16 bits.
  static ByteSums add_products(ByteSums sum, const Bytes* input, const Bytes* weight) {
    int16x8_t low = vmull_s8(vget_low_s8(input[0]), vget_low_s8(weight[0]));
    int16x8_t high = vmull_high_s8(input[0], weight[0]);
    for (int i = 1; i < 3; ++i) {
      low = vmlal_s8(low, vget_low_s8(input[i]), vget_low_s8(weight[i]));
      high = vmlal_high_s8(high, input[i], weight[i]);
    }
    return {vpadalq_s16(sum.low, low), vpadalq_s16(sum.high, high)};
  }

  static constexpr int kProductRows = 0;

  using Vector = float32x4_t;
  static constexpr int kVectorFloats = 4;
  static constexpr int kTailVectors = 1;
  static Vector broadcast(const float* p) { return vld1q_dup_f32(p); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
  static void store_vector(float* p, Vector a) { vst1q_f32(p, a); }
  static Vector float_sums(ByteSums sums) { return vcvtq_f32_s32(vpaddq_s32(sums.low, sums.high)); }
};

}  // namespace

const KernelTable kNeonKernels = vector_kernels<Neon>("neon");

}  // namespace scales
