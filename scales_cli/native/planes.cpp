#include "planes.h"

#include <algorithm>

namespace scales {

Planes::Planes(int colors, int width, int height, int capacity)
    : colors_(colors),
      width_(width),
      height_(height),
      capacity_(capacity),
      stride_(plane_stride(width)),
      rows_(stride_ * capacity * colors) {}

void Planes::push(int y, const float* values, std::size_t plane_size) {
  for (int colour = 0; colour < colors_; ++colour) {
    const float* source = values + plane_size * colour;
    float* target = rows_.data() + line(colour, y) + kPlaneMargin;
    for (int x = 0; x < width_; ++x) target[x] = 4.0F * source[x] - 2.0F;
  }
}

void Planes::gather(int y, float* window) const {
  for (int colour = 0; colour < colors_; ++colour) {
    for (int ky = 0; ky < 3; ++ky) {
      float* target = window + stride_ * (3 * colour + ky);
      const int row = y + ky - 1;
      if (row < 0 || row >= height_) {
        std::fill_n(target, stride_, 0.0F);
      } else {
        std::copy_n(rows_.data() + line(colour, row), stride_, target);
      }
    }
  }
}

}  // namespace scales
