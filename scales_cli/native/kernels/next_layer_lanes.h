// Steps 5 to 7 of `OutputTransform` over 16 pixel lanes. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <cstdint>

#include "kernels/next_layer.h"
#include "kernels/sigmoid_lanes.h"
#include "layout.h"

namespace scales {
namespace {

// Lanes of the pixels of a block that lie inside a row.
static inline unsigned valid_lanes(int width, int block) {
  unsigned lanes = 0;
  for (int i = 0; i < kLanes && block * kLanes + i < width; ++i) lanes |= 1U << lane_of(i);
  return lanes;
}

// Steps 5 to 7 of `OutputTransform` for one block of a row, channel after channel.
template <class Isa, bool kEdge, bool kPool>
struct BlockWriter {
  using F32x16 = typename Isa::F32x16;

  BlockWriter(float* residual_row, int channels, int block, int width, const NextLayer& next_layer,
              const RowScratch& row_scratch)
      : residual(residual_row + static_cast<std::size_t>(kLanes) * channels * block),
        next(next_layer),
        binarization(next_layer.channels),
        masks(row_scratch.masks),
        pool(row_scratch.pool),
        dot(Isa::set1(next_layer.spatial_bias)),
        valid(Isa::mask(kEdge ? valid_lanes(width, block) : 0xFFFFU)) {}

  void write(int channel, F32x16 y) {
    Isa::store(residual + kLanes * channel, y);
    Isa::store_mask(masks + channel, Isa::ge(y, Isa::set1(binarization[channel].threshold)));
    dot = Isa::fma(Isa::set1(binarization[channel].spatial), y, dot);
    if (kPool) {
      float* sums = pool + kLanes * channel;
      Isa::store(sums, Isa::add(Isa::load(sums), kEdge ? Isa::select(valid, y, Isa::set1(0)) : y));
    }
  }

  void finish(int channels, int block, int width) {
    Isa::store(next.spatial + kLanes * block, sigmoid_lanes<Isa>(dot));
    for (int word = 0; word < channels / kWordBits; ++word) {
      Isa::transpose(masks + kWordBits * word,
                     next.bits + packed_stride(width) * word + kMargin + kLanes * block);
    }
  }

  // Copies, not references: vector stores may alias anything, and the inner loop would load every pointer
  // again.
  float* const residual;
  const NextLayer& next;
  const Binarization* const binarization;
  std::uint16_t* const masks;
  float* const pool;
  F32x16 dot;
  typename Isa::Mask valid;
};

template <bool kPool>
void begin_row(int channels, const RowScratch& scratch) {
  if (!kPool) return;
  for (int i = 0; i < kLanes * channels; ++i) scratch.pool[i] = 0;
}

template <bool kPool>
void finish_row(int channels, int width, const NextLayer& next, const RowScratch& scratch) {
  for (int word = 0; word < channels / kWordBits; ++word) {
    std::uint64_t* words = next.bits + packed_stride(width) * word + kMargin;
    for (int x = width; x < kLanes * block_count(width); ++x) words[x] = 0;
  }
  if (!kPool) return;
  for (int c = 0; c < channels; ++c) {
    float sums[kLanes];
    for (int i = 0; i < kLanes; ++i) sums[i] = scratch.pool[kLanes * c + lane_of(i)];
    next.row_sums[c] = add_halves(sums);
  }
}

}  // namespace
}  // namespace scales
