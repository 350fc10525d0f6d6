// The full-precision head over 16 pixel lanes. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <type_traits>

#include "kernels/bconv2d.h"
#include "kernels/head.h"
#include "kernels/next_layer_lanes.h"

namespace scales {
namespace {

// Calls `kernel` with the number of planes as a constant.
template <class Kernel>
void with_planes(int planes, Kernel kernel) {
  switch (planes) {
    case 1:
      return kernel(std::integral_constant<int, 1>{});
    case 2:
      return kernel(std::integral_constant<int, 2>{});
    case 3:
      return kernel(std::integral_constant<int, 3>{});
    default:
      return kernel(std::integral_constant<int, kMaxPlanes>{});
  }
}

// The head's inputs around one block, [plane][ky][kx] in lane order.
template <class Isa, int kPlanes>
struct HeadTaps {
  using F32x16 = typename Isa::F32x16;

  HeadTaps(const float* rows, int width, int block) {
    for (int plane = 0; plane < 3 * kPlanes; ++plane) {
      const float* pixels = rows + plane_stride(width) * plane + kPlaneMargin + kLanes * block;
      for (int kx = 0; kx < 3; ++kx) taps[3 * plane + kx] = Isa::to_lanes(Isa::loadu(pixels + kx - 1));
    }
  }

  // Calls `use` with each channel and its sum. Eight registers of sums at a time, so that none waits for the one before,
  // and a tap is loaded once for all of them: those of more than one plane do not fit in registers.
  template <class Use>
  void convolve(const HeadParams& head, Use use) const {
    const float* weight = head.weight;
    for (int c = 0; c < head.channels; c += kGroup, weight += kGroup * kCount) {
      F32x16 sums[kGroup];
      for (int i = 0; i < kGroup; ++i) sums[i] = Isa::set1(head.bias[c + i]);
      for (int tap = 0; tap < kCount; ++tap) {
        const F32x16 value = taps[tap];
        for (int i = 0; i < kGroup; ++i) {
          sums[i] = Isa::fma(Isa::set1(weight[kCount * i + tap]), value, sums[i]);
        }
      }
      for (int i = 0; i < kGroup; ++i) use(c + i, sums[i]);
    }
  }

  static constexpr int kCount = kPlanes * kTaps;
  static constexpr int kGroup = 8 * Isa::kVectorFloats / kLanes;  // layers have multiples of 64 channels
  F32x16 taps[kCount];
};

template <class Isa, int kPlanes, bool kPool>
void head_blocks(const HeadParams& head, const float* rows, int width, float* residual, const NextLayer& next,
                 const RowScratch& scratch) {
  begin_row<kPool>(head.channels, scratch);
  for (int block = 0; block < block_count(width); ++block) {
    const HeadTaps<Isa, kPlanes> taps(rows, width, block);
    BlockWriter<Isa, true, kPool> writer(residual, head.channels, block, width, next, scratch);
    taps.convolve(head, [&](int c, typename Isa::F32x16 sum) { writer.write(c, sum); });
    writer.finish(head.channels, block, width);
  }
  finish_row<kPool>(head.channels, width, next, scratch);
}

template <class Isa>
void head_row(const HeadParams& head, const float* rows, int width, float* residual, const NextLayer& next,
              const RowScratch& scratch) {
  const bool pool = next.row_sums != nullptr;
  with_planes(head.planes, [&](auto planes) {
    pool ? head_blocks<Isa, planes, true>(head, rows, width, residual, next, scratch)
         : head_blocks<Isa, planes, false>(head, rows, width, residual, next, scratch);
  });
}

}  // namespace
}  // namespace scales
