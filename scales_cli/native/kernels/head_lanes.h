// The full-precision head over 16 pixel lanes. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include "kernels/bconv2d.h"
#include "kernels/head.h"
#include "kernels/next_layer_lanes.h"

namespace scales {
namespace {

// The head's inputs around one block, [color][ky][kx] in lane order.
template <class Isa, int kColors>
struct HeadTaps {
  using F32x16 = typename Isa::F32x16;

  HeadTaps(const float* rows, int width, int block) {
    for (int plane = 0; plane < 3 * kColors; ++plane) {
      const float* pixels = rows + plane_stride(width) * plane + kPlaneMargin + kLanes * block;
      for (int kx = 0; kx < 3; ++kx) taps[3 * plane + kx] = Isa::to_lanes(Isa::loadu(pixels + kx - 1));
    }
  }

  F32x16 convolve(const HeadParams& head, int channel) const {
    const float* weight = head.weight + static_cast<std::size_t>(channel) * kColors * kTaps;
    F32x16 sum = Isa::set1(head.bias[channel]);
    for (int tap = 0; tap < kColors * kTaps; ++tap) sum = Isa::fma(Isa::set1(weight[tap]), taps[tap], sum);
    return sum;
  }

  F32x16 taps[kColors * kTaps];
};

template <class Isa, int kColors, bool kPool>
void head_blocks(const HeadParams& head, const float* rows, int width, float* residual, const NextLayer& next,
                 const RowScratch& scratch) {
  begin_row<kPool>(head.channels, scratch);
  for (int block = 0; block < block_count(width); ++block) {
    const HeadTaps<Isa, kColors> taps(rows, width, block);
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
  if (head.colors == 1) {
    pool ? head_blocks<Isa, 1, true>(head, rows, width, residual, next, scratch)
         : head_blocks<Isa, 1, false>(head, rows, width, residual, next, scratch);
  } else {
    pool ? head_blocks<Isa, 3, true>(head, rows, width, residual, next, scratch)
         : head_blocks<Isa, 3, false>(head, rows, width, residual, next, scratch);
  }
}

}  // namespace
}  // namespace scales
