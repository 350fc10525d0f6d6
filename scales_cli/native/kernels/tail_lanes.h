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

// Chunks whose pairs so many vectors hold, at least one.
template <class Isa, int kVectors>
constexpr int chunks_at_once =
    kVectors * Isa::kVectorFloats > kPairs ? kVectors * Isa::kVectorFloats / kPairs : 1;

// [kGroup][pairs] products of one term, of all pairs of some chunks. Several vectors share a weight that is loaded.
template <class Isa, int kGroup, int kVectors>
void multiply_term(const float* const inputs[3], std::size_t chunk_size, const float* term_weight,
                   int channels, const float* start, float* products) {
  using Vector = typename Isa::Vector;
  constexpr int kFloats = Isa::kVectorFloats, kCount = kPairs * chunks_at_once<Isa, kVectors>;
  for (int pair = 0; pair < kCount; pair += kVectors * kFloats) {
    Vector sums[kGroup * kVectors];
    unrolled<kGroup * kVectors>([&](int i) { sums[i] = Isa::broadcast(start + i / kVectors); });
    const float* weight = term_weight;
    for (int ky = 0; ky < 3; ++ky) {
      const float* source = inputs[ky] + pair;
      for (int c = 0; c < channels; ++c, source += kChunkStride, weight += kGroup) {
        Vector input[kVectors];
        unrolled<kVectors>([&](int v) {
          input[v] = Isa::vector(source + chunk_size * (kFloats * v / kPairs) + kFloats * v % kPairs);
        });
        unrolled<kGroup>([&](int o) {
          const Vector w = Isa::broadcast(weight + o);
          unrolled<kVectors>([&](int v) {
            sums[kVectors * o + v] = Isa::multiply_add(w, input[v], sums[kVectors * o + v]);
          });
        });
      }
    }
    unrolled<kGroup * kVectors>([&](int i) {
      Isa::store_vector(products + kCount * (i / kVectors) + pair + kFloats * (i % kVectors), sums[i]);
    });
  }
}

// Some chunks from one on, all outputs of one group.
template <class Isa, int kGroup, int kVectors>
void tail_chunks(const TailParams& tail, const float* const rows[3], int chunk, int first, std::size_t stride,
                 float* out) {
  constexpr int kChunks = chunks_at_once<Isa, kVectors>;
  const std::size_t chunk_size = static_cast<std::size_t>(tail.channels) * kChunkStride;
  const std::size_t term_size = static_cast<std::size_t>(3) * tail.channels * kGroup;
  const float* weight = tail.weight + term_size * kTerms * (first / kGroup);
  const float zeros[kGroup] = {};
  alignas(64) float products[kTerms][kGroup * kChunks * kPairs];
  for (int term = 0; term < kTerms; ++term) {
    const std::size_t origin = chunk_size * chunk + kPairs * term;
    const float* const inputs[3] = {rows[0] + origin, rows[1] + origin, rows[2] + origin};
    // The second term enters both outputs of a pair.
    multiply_term<Isa, kGroup, kVectors>(inputs, chunk_size, weight + term_size * term, tail.channels,
                                         term == 1 ? tail.bias + first : zeros, products[term]);
  }
  for (int i = 0; i < kGroup * kChunks; ++i) {
    float* target = out + stride * (first + i / kChunks) + kChunk * (chunk + i % kChunks);
    const auto product = [&](int term) { return Isa::load(products[term] + kPairs * i); };
    const auto m0 = product(0), m1 = product(1), m2 = product(2), m3 = product(3);
    Isa::store_interleaved(target, Isa::add(Isa::add(m0, m1), m2), Isa::sub(Isa::sub(m1, m2), m3));
  }
}

template <class Isa, int kGroup>
void tail_groups(const TailParams& tail, const float* const rows[3], int width, float* out) {
  const int chunks = chunk_count(width);
  const std::size_t stride = static_cast<std::size_t>(kChunk) * chunks;
  constexpr int kVectors = Isa::kTailVectors, kChunks = chunks_at_once<Isa, kVectors>;
  int chunk = 0;
  for (; chunk + kChunks <= chunks; chunk += kChunks) {
    for (int first = 0; first < tail.outputs; first += kGroup) {
      tail_chunks<Isa, kGroup, kVectors>(tail, rows, chunk, first, stride, out);
    }
  }
  for (; kChunks > 1 && chunk < chunks; ++chunk) {
    for (int first = 0; first < tail.outputs; first += kGroup) {
      tail_chunks<Isa, kGroup, kVectors / kChunks>(tail, rows, chunk, first, stride, out);
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
