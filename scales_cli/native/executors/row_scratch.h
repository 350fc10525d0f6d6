// What one job works in.
#pragma once

#include <cstdint>

#include "kernels/next_layer.h"
#include "layout.h"

namespace scales {

// Owns what `RowScratch` points to; kernels keep nothing between rows here.
class RowScratchBuffer {
 public:
  explicit RowScratchBuffer(int channels)
      : masks_(channels + kWordBits),
        partial_(static_cast<std::size_t>(kLanes) * channels),
        counts_(static_cast<std::size_t>(kGroupPixels) * (channels + 1)),  // of pairs of channels
        pool_(static_cast<std::size_t>(kLanes) * channels) {}

  RowScratch rows() { return {masks_.data(), partial_.data(), counts_.data(), pool_.data()}; }

 private:
  AlignedBuffer<std::uint16_t> masks_;
  AlignedBuffer<std::int32_t> partial_;
  AlignedBuffer<std::uint16_t> counts_;
  AlignedBuffer<float> pool_;
};

}  // namespace scales
