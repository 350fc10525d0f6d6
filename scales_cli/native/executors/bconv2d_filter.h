// The weights of a binary convolution, repacked for the kernels.
#pragma once

#include <cstdint>

#include "kernels/bconv2d.h"

namespace scales {

// Owns what `BConv2DParams` points to.
class BConv2DFilter {
 public:
  // bits: [out][kTaps][words], pad bits beyond in_channels are ignored.
  BConv2DFilter(const std::uint64_t* bits, int in_channels, int out_channels, WeightForm form);

  BConv2DParams params() const;

 private:
  int in_channels_, out_channels_, words_;
  AlignedBuffer<std::uint8_t> weights_;  // in the form asked for
  AlignedBuffer<std::int32_t> base_;
  AlignedBuffer<float> half_base_;
};

}  // namespace scales
