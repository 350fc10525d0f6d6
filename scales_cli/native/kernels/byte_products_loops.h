// Products of bytes in plain loops, see `ByteProducts`. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include "kernels/byte_products.h"

namespace scales {
namespace {

void byte_products(const ByteProducts& products) {
  for (int row = 0; row < products.count; ++row) {
    const std::uint8_t* codes = products.codes + products.stride * row;
    std::int32_t* sums = products.sums + static_cast<std::size_t>(kPanelOutputs) * row;
    for (int o = 0; o < kPanelOutputs; ++o) {
      std::int32_t sum = products.add ? sums[o] : 0;
      for (std::ptrdiff_t k = 0; k < std::ptrdiff_t{kStepBytes} * products.steps; ++k) {
        sum +=
            codes[k] * products.weights[(k / kStepBytes * kPanelOutputs + o) * kStepBytes + k % kStepBytes];
      }
      sums[o] = sum;
    }
  }
}

}  // namespace
}  // namespace scales
