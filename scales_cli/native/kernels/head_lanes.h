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

  F32x16 convolve(const HeadParams& head, int channel) const {
    const float* weight = head.weight + static_cast<std::size_t>(channel) * kPlanes * kTaps;
    F32x16 sum = Isa::set1(head.bias[channel]);
    for (int tap = 0; tap < kPlanes * kTaps; ++tap) sum = Isa::fma(Isa::set1(weight[tap]), taps[tap], sum);
    return sum;
  }

  F32x16 taps[kPlanes * kTaps];
};

template <class Isa, int kPlanes, bool kPool>
void head_blocks(const HeadParams& head, const float* rows, int width, float* residual, const NextLayer& next,
                 const RowScratch& scratch) {
  begin_row<kPool>(head.channels, scratch);
  for (int block = 0; block < block_count(width); ++block) {
    const HeadTaps<Isa, kPlanes> taps(rows, width, block);
    BlockWriter<Isa, true, kPool> writer(residual, head.channels, block, width, next, scratch);
    for (int c = 0; c < head.channels; ++c) writer.write(c, taps.convolve(head, c));
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
