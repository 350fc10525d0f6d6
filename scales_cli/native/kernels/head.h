// The parameters of the full-precision head.
#pragma once

#include <cstddef>

#include "layout.h"

namespace scales {

// Full-precision 3x3 head on 4 p - 2. `rows` holds [plane][ky][16 + pixels + 16] with zeros outside the
// picture.
struct HeadParams {
  int planes;
  int channels;
  const float* weight;  // [channels][planes * 9]
  const float* bias;    // [channels]
};

static constexpr int kMaxPlanes = 4;  // Y, Cb, Cr and the strength

static constexpr int kPlaneMargin = 16;
static constexpr std::size_t plane_stride(int width) {
  return 2 * kPlaneMargin + static_cast<std::size_t>(kLanes) * block_count(width);
}

}  // namespace scales
