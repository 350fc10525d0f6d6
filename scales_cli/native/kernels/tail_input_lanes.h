// The tail's input row, body and head together, over 16 pixel lanes. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include "kernels/head_lanes.h"
#include "kernels/tail.h"

namespace scales {
namespace {

template <class Isa, int kPlanes>
void tail_input_blocks(const HeadParams& head, const float* gain, const float* rows, int width,
                       const float* residual, std::uint32_t* tail_row) {
  using F32x16 = typename Isa::F32x16;
  const F32x16 origin = Isa::set1(kByteOrigin), least = Isa::set1(kLeastByte),
               largest = Isa::set1(kLargestByte);
  const std::size_t stride = tail_stride(width);
  for (int block = 0; block < block_count(width); ++block) {
    const HeadTaps<Isa, kPlanes> taps(rows, width, block);
    const typename Isa::Mask valid = Isa::mask(valid_lanes(width, block));
    const float* body = residual + static_cast<std::size_t>(kLanes) * head.channels * block;
    std::uint32_t* words = tail_row + kTailMargin + kLanes * block;
    F32x16 quad[kQuad];
    taps.convolve(head, [&](int c, F32x16 convolved) {
      const F32x16 sum = Isa::add(Isa::load(body + kLanes * c), convolved);
      quad[c % kQuad] = Isa::min(Isa::max(Isa::fma(sum, Isa::set1(gain[c]), origin), least), largest);
      if (c % kQuad == kQuad - 1) Isa::store_bytes(words + stride * (c / kQuad), quad, valid);
    });
  }
}

template <class Isa>
void tail_input_row(const HeadParams& head, const float* gain, const float* rows, int width,
                    const float* residual, std::uint32_t* tail_row) {
  with_planes(head.planes, [&](auto planes) {
    tail_input_blocks<Isa, planes>(head, gain, rows, width, residual, tail_row);
  });
}

}  // namespace
}  // namespace scales
