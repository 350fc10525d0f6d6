// The full-precision tail by Winograd's F(2, 3), see `TailParams`. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <utility>

#include "kernels/tail.h"
#include "layout.h"

namespace scales {
namespace {

// f(0), f(1) ... without a loop: compilers keep an array in registers only where its indices are constants.
template <class F, int... kIndices>
void unrolled(F f, std::integer_sequence<int, kIndices...>) {
  (f(kIndices), ...);
}
template <int kCount, class F>
void unrolled(F f) {
  unrolled(f, std::make_integer_sequence<int, kCount>{});
}

// [kGroup][kPairs] products of one term.
template <class Isa, int kGroup>
void multiply_term(const float* const inputs[3], const float* term_weight, int channels, const float* start,
                   float* products) {
  using Vector = typename Isa::Vector;
  constexpr int kFloats = Isa::kVectorFloats, kVectors = Isa::kTailVectors;
  for (int pair = 0; pair < kPairs; pair += kVectors * kFloats) {
    Vector sums[kGroup * kVectors];
    unrolled<kGroup * kVectors>([&](int i) { sums[i] = Isa::broadcast(start + i / kVectors); });
    const float* weight = term_weight;
    for (int ky = 0; ky < 3; ++ky) {
      const float* source = inputs[ky] + pair;
      for (int c = 0; c < channels; ++c, source += kChunkStride, weight += kGroup) {
        Vector input[kVectors];
        unrolled<kVectors>([&](int v) { input[v] = Isa::vector(source + kFloats * v); });
        unrolled<kGroup>([&](int o) {
          const Vector w = Isa::broadcast(weight + o);
          unrolled<kVectors>([&](int v) {
            sums[kVectors * o + v] = Isa::multiply_add(w, input[v], sums[kVectors * o + v]);
          });
        });
      }
    }
    unrolled<kGroup * kVectors>([&](int i) {
      Isa::store_vector(products + kPairs * (i / kVectors) + pair + kFloats * (i % kVectors), sums[i]);
    });
  }
}

template <class Isa, int kGroup>
void tail_groups(const TailParams& tail, const float* const rows[3], int width, float* out) {
  const std::size_t stride = static_cast<std::size_t>(kChunk) * chunk_count(width);
  const std::size_t chunk_size = static_cast<std::size_t>(tail.channels) * kChunkStride;
  const std::size_t term_size = static_cast<std::size_t>(3) * tail.channels * kGroup;
  const float zeros[kGroup] = {};
  for (int chunk = 0; chunk < chunk_count(width); ++chunk) {
    for (int first = 0; first < tail.outputs; first += kGroup) {
      const float* weight = tail.weight + term_size * kTerms * (first / kGroup);
      alignas(64) float products[kTerms][kGroup * kPairs];
      for (int term = 0; term < kTerms; ++term) {
        const std::size_t origin = chunk_size * chunk + kPairs * term;
        const float* const inputs[3] = {rows[0] + origin, rows[1] + origin, rows[2] + origin};
        // The second term enters both outputs of a pair.
        multiply_term<Isa, kGroup>(inputs, weight + term_size * term, tail.channels,
                                   term == 1 ? tail.bias + first : zeros, products[term]);
      }
      for (int o = 0; o < kGroup; ++o) {
        float* target = out + stride * (first + o) + kChunk * chunk;
        const auto product = [&](int term) { return Isa::load(products[term] + kPairs * o); };
        const auto m0 = product(0), m1 = product(1), m2 = product(2), m3 = product(3);
        Isa::store_interleaved(target, Isa::add(Isa::add(m0, m1), m2), Isa::sub(Isa::sub(m1, m2), m3));
      }
    }
  }
}

template <class Isa>
void tail_row(const TailParams& tail, const float* const rows[3], int width, float* out) {
  switch (tail.group) {
    case 4:
      return tail_groups<Isa, 4>(tail, rows, width, out);
    case 6:
      return tail_groups<Isa, 6>(tail, rows, width, out);
    case 8:
      return tail_groups<Isa, 8>(tail, rows, width, out);
    default:
      return tail_groups<Isa, 9>(tail, rows, width, out);
  }
}

}  // namespace
}  // namespace scales
