// How pixels, channels and bits lie in memory; every kernel and executor shares this.
//
// A row of W pixels is cut into blocks of 16. Inside a block, float data holds its pixels in *lane order*:
// lane 2i is pixel i, lane 2i + 1 is pixel i + 8. It is the order in which counts arrive: most kernels
// count bits in 64-bit lanes, pixels 0..7 in one group and 8..15 in another, and shift the second into the upper
// halves of the first.
//
//     residual row   float    [block][channel][16 lanes]
//     spatial row    float    [block][16 lanes]
//     packed row     uint64   [word][margin, pixels in order, margin], bit i of word j = channel 64 j + i
//
// Words outside the picture are zero, also those of the last block beyond W: the kernels read one pixel to
// each side.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aligned_buffer.h"

namespace scales {

// All functions here are static: a kernel file compiled for AVX-512 must not lend its copy to the baseline.
static constexpr int kLanes = 16;
static constexpr int kWordBits = 64;
static constexpr int kMargin = 8;  // words before pixel 0 and after the last block: keeps blocks aligned

static constexpr int lane_of(int pixel) {
  return pixel < 8 ? 2 * pixel : 2 * (pixel - 8) + 1;
}
static constexpr int block_count(int width) {
  return (width + kLanes - 1) / kLanes;
}
static constexpr int padded(int count) {
  return kLanes * block_count(count);
}
static constexpr int word_count(int channels) {
  return (channels + kWordBits - 1) / kWordBits;
}
// Bits of the last word that stand for channels.
static constexpr std::uint64_t last_word_mask(int channels) {
  const int used = channels % kWordBits;
  return used == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << used) - 1;
}
// 16 lanes to one by adding halves, in place: the order of every sum over lanes.
static inline float add_halves(float* lanes) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}
static constexpr std::size_t packed_stride(int width) {
  return 2 * kMargin + static_cast<std::size_t>(kLanes) * block_count(width);
}
static constexpr std::size_t residual_row_size(int width, int channels) {
  return static_cast<std::size_t>(kLanes) * block_count(width) * channels;
}

// Rows of 1-bit activations; `row` points at the margin of word 0.
class PackedTensor {
 public:
  PackedTensor(int rows, int width, int words)
      : row_size_(packed_stride(width) * words), bits_(row_size_ * rows) {}

  std::uint64_t* row(int y) { return bits_.data() + row_size_ * y; }
  const std::uint64_t* row(int y) const { return bits_.data() + row_size_ * y; }

 private:
  std::size_t row_size_;
  AlignedBuffer<std::uint64_t> bits_;
};

}  // namespace scales
