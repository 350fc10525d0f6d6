// The parameters of the tail, which computes in 8-bit integers, and the layout of its input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layout.h"

namespace scales {

// 3x3 tail. A channel t of body + head enters as
//
//     q = round(t gain)              ties to even, by adding kByteOrigin in one fma; limited to -127..127
//     out = fma(sum, scale, bias)    sum of weight q over rows, columns and channels: an exact integer
//
// Weights are in -64..64, so that two products of a weight and a byte fit in 16 bits. An input row is [channels / 4]
// [tail_stride(width)] words of 32 bits: a pixel's bytes 128 + q of four channels, the first in the lowest bits. Outputs
// come in groups that fit in registers.
struct TailParams {
  int channels;
  int outputs;
  int group;
  const float* gain;            // [channels]
  const std::uint32_t* weight;  // [outputs / group][ky][channels / 4][group][kx], four channels' bytes a word
  const std::int32_t* origin;   // [outputs], -128 times the sum of the weights: the bytes are 128 + q
  const float* scale;           // [outputs]
  const float* bias;            // [outputs]
};

static constexpr int kMaxTailWeight = 64;
static constexpr int kQuad = 4;
static constexpr std::uint32_t kZeroBytes = 0x80808080;  // q = 0 of four channels, as outside the picture
// 1.5 2^23 + 128: added to a small number, its low bits are the number's nearest integer, plus 128.
static constexpr float kByteOrigin = 12583040.0F;
// What four such numbers add up to beside their bytes, each shifted by 8 bits more than the one before: the bits of
// 1.5 2^23, and of these what shifting by 8 leaves.
static constexpr std::uint32_t kQuadOrigin = 0x4B400000U + (0x4B400000U << 8);
static constexpr float kLeastByte = kByteOrigin - 127, kLargestByte = kByteOrigin + 127;

// Words before pixel 0, of which one is read; as many follow the last block.
static constexpr int kTailMargin = 16;
// An odd number of cache lines: else four channels of all pixels would lie in a part of the cache's sets.
static constexpr std::size_t tail_stride(int width) {
  const std::size_t lines = block_count(width) + 2 * kTailMargin / kLanes;
  return kLanes * (lines | 1);
}
static constexpr std::size_t tail_row_size(int width, int channels) {
  return tail_stride(width) * (channels / kQuad);
}

}  // namespace scales
