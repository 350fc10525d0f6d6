// Products of bytes, see `ByteProducts`. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <algorithm>

#include "kernels/byte_products_loops.h"

namespace scales {
namespace {

// kRows rows from `row` on: each vector of weights that is loaded serves them all. Partial sums may have 16 bits, which
// hold those of kPartialSteps.
template <class Isa, int kRows>
void product_rows(const ByteProducts& products, int row) {
  constexpr int kOutputs = Isa::kVectorFloats, kVectors = kPanelOutputs / kOutputs;
  std::int32_t* out = products.sums + static_cast<std::size_t>(kPanelOutputs) * row;
  typename Isa::ByteSums sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = products.add ? Isa::load_sums(out + kPanelOutputs * r + kOutputs * v) : Isa::begin_sums(0);
    }
  }
  const std::uint8_t* codes = products.codes + products.stride * row;
  const std::int8_t* weights = products.weights;
  for (int begin = 0; begin < products.steps; begin += Isa::kPartialSteps) {
    const int end = std::min(products.steps, begin + Isa::kPartialSteps);
    typename Isa::PartialSums partial[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) partial[r][v] = Isa::begin_partial();
    }
    for (int step = begin; step < end; ++step, codes += kStepBytes, weights += kStepBytes * kPanelOutputs) {
      typename Isa::Bytes code[kRows];
      for (int r = 0; r < kRows; ++r) code[r] = Isa::broadcast_codes(codes + products.stride * r);
      for (int v = 0; v < kVectors; ++v) {
        const typename Isa::Bytes weight = Isa::load_weights(weights + kStepBytes * kOutputs * v);
        for (int r = 0; r < kRows; ++r) partial[r][v] = Isa::add_step(partial[r][v], code[r], weight);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) sums[r][v] = Isa::add_sums(sums[r][v], partial[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) Isa::store_sums(out + kPanelOutputs * r + kOutputs * v, sums[r][v]);
  }
}

template <class Isa>
void byte_products(const ByteProducts& products) {
  if constexpr (Isa::kProductRows == 0) {
    byte_products(products);
  } else {
    int row = 0;
    for (; row + Isa::kProductRows <= products.count; row += Isa::kProductRows) {
      product_rows<Isa, Isa::kProductRows>(products, row);
    }
    for (; row < products.count; ++row) product_rows<Isa, 1>(products, row);
  }
}

}  // namespace
}  // namespace scales
