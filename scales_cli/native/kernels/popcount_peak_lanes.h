// A binary multiply-accumulate in registers. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <cstdint>

#include "kernels/popcount_peak.h"
#include "layout.h"

namespace scales {
namespace {

// Activations and sums stay in registers; the weight comes from memory, so that nothing can be computed
// beforehand.
template <class Isa>
std::uint64_t xor_popcount(const std::uint64_t* words, int rounds) {
  constexpr int kWords = Isa::kPeakBits / kWordBits;
  typename Isa::Words pixels[kPeakChains], sums[kPeakChains];
  for (int i = 0; i < kPeakChains; ++i) pixels[i] = sums[i] = Isa::words(words + kWords * i);
  for (int round = 0; round < rounds; ++round) {
    const typename Isa::Words weight = Isa::words(words + kWords * (round % kPeakChains));
    for (int i = 0; i < kPeakChains; ++i) sums[i] = Isa::add_differing(sums[i], pixels[i], weight);
  }
  std::uint64_t result = 0, sum[kWords];
  for (int i = 0; i < kPeakChains; ++i) {
    Isa::store_words(sum, sums[i]);
    for (const std::uint64_t word : sum) result += word;
  }
  return result;
}

}  // namespace
}  // namespace scales
