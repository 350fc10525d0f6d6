// The tail in 8-bit integers, see `TailParams`. In an unnamed namespace, see vector_kernels.h.
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

// Pixels from x on, as many as fill kVectors vectors, and the outputs of one group. Several vectors share a weight that
// is loaded.
template <class Isa, int kGroup, int kVectors>
void tail_pixels(const TailParams& tail, const std::uint32_t* const rows[3], std::size_t stride, int x,
                 int first, std::size_t out_stride, float* out) {
  constexpr int kFloats = Isa::kVectorFloats;
  typename Isa::ByteSums sums[kGroup * kVectors];
  unrolled<kGroup * kVectors>([&](int i) { sums[i] = Isa::begin_sums(tail.origin[first + i / kVectors]); });
  const int quads = tail.channels / kQuad;
  const std::uint32_t* weight = tail.weight + static_cast<std::size_t>(first) * 3 * quads * 3;
  for (int ky = 0; ky < 3; ++ky) {
    const std::uint32_t* source = rows[ky] + kTailMargin + x - 1;
    for (int quad = 0; quad < quads; ++quad, source += stride, weight += 3 * kGroup) {
      typename Isa::Bytes input[3 * kVectors];
      unrolled<3 * kVectors>([&](int i) { input[i] = Isa::load_bytes(source + kFloats * (i / 3) + i % 3); });
      unrolled<kGroup>([&](int o) {
        typename Isa::Bytes w[3];
        unrolled<3>([&](int kx) { w[kx] = Isa::weight_bytes(weight + 3 * o + kx); });
        unrolled<kVectors>([&](int v) {
          sums[kVectors * o + v] = Isa::add_products(sums[kVectors * o + v], input + 3 * v, w);
        });
      });
    }
  }
  // Converted and stored one by one: as one function of the sums these would be kept in memory.
  typename Isa::Vector values[kGroup * kVectors];
  unrolled<kGroup * kVectors>([&](int i) { values[i] = Isa::float_sums(sums[i]); });
  for (int o = 0; o < kGroup; ++o, out += out_stride) {
    const auto scale = Isa::broadcast(tail.scale + first + o), bias = Isa::broadcast(tail.bias + first + o);
    for (int v = 0; v < kVectors; ++v) {
      Isa::store_vector(out + kFloats * v, Isa::multiply_add(values[kVectors * o + v], scale, bias));
    }
  }
}

template <class Isa, int kGroup, int kVectors>
void tail_groups(const TailParams& tail, const std::uint32_t* const rows[3], int width, int x, float* out) {
  constexpr int kPixels = kVectors * Isa::kVectorFloats;
  const int end = padded(width);
  for (; x + kPixels <= end; x += kPixels) {
    for (int first = 0; first < tail.outputs; first += kGroup) {
      tail_pixels<Isa, kGroup, kVectors>(tail, rows, tail_stride(width), x, first, end,
                                         out + static_cast<std::size_t>(end) * first + x);
    }
  }
  if constexpr (kPixels > kLanes) tail_groups<Isa, kGroup, kVectors / 2>(tail, rows, width, x, out);
}

template <class Isa>
void tail_row(const TailParams& tail, const std::uint32_t* const rows[3], int width, float* out) {
  constexpr int kVectors = Isa::kTailVectors;
  switch (tail.group) {
    case 4:
      return tail_groups<Isa, 4, 2 * kVectors>(tail, rows, width, 0, out);
    case 6:
      return tail_groups<Isa, 6, kVectors>(tail, rows, width, 0, out);
    case 8:
      return tail_groups<Isa, 8, kVectors>(tail, rows, width, 0, out);
    default:
      return tail_groups<Isa, 9, kVectors>(tail, rows, width, 0, out);
  }
}

}  // namespace
}  // namespace scales
