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
        counts_(static_cast<std::size_t>(kGroupPixels) * (channels + channels % 2)),
        pool_(static_cast<std::size_t>(kLanes) * channels) {}

  static std::size_t bytes(int channels) {
    const std::size_t a_channel =
        sizeof(std::uint16_t) * (1 + kGroupPixels) + kLanes * (sizeof(std::int32_t) + sizeof(float));
    return a_channel * (channels + 1) + sizeof(std::uint16_t) * kWordBits +
           4 * AlignedBuffer<float>::kAlignment;
  }

  RowScratch rows() { return {masks_.data(), partial_.data(), counts_.data(), pool_.data()}; }

 private:
  AlignedBuffer<std::uint16_t> masks_;
  AlignedBuffer<std::int32_t> partial_;
  AlignedBuffer<std::uint16_t> counts_;
  AlignedBuffer<float> pool_;
};

}  // namespace scales
