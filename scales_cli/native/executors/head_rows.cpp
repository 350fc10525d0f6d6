#include "executors/head_rows.h"

#include <algorithm>

namespace scales {

HeadRows::HeadRows(int planes, int width, int height, int capacity)
    : count_(planes),
      width_(width),
      height_(height),
      capacity_(capacity),
      stride_(plane_stride(width)),
      rows_(stride_ * capacity * planes) {}

void HeadRows::push(int y, const float* values, std::size_t plane_size) {
  for (int plane = 0; plane < count_; ++plane) {
    const float* source = values + plane_size * plane;
    float* target = rows_.data() + line(plane, y) + kPlaneMargin;
    for (int x = 0; x < width_; ++x) target[x] = 4.0F * source[x] - 2.0F;
  }
}

void HeadRows::gather(int y, float* window) const {
  for (int plane = 0; plane < count_; ++plane) {
    for (int ky = 0; ky < 3; ++ky) {
      float* target = window + stride_ * (3 * plane + ky);
      const int row = y + ky - 1;
      if (row < 0 || row >= height_) {
        std::fill_n(target, stride_, 0.0F);
      } else {
        std::copy_n(rows_.data() + line(plane, row), stride_, target);
      }
    }
  }
}

}  // namespace scales
