// Rows of a picture's planes as the head reads them.
#pragma once

#include <cstddef>

#include "aligned_buffer.h"
#include "kernel_table.h"

namespace scales {

// The last `capacity` rows pushed of a picture `height` rows tall, mapped to 4 p - 2 and padded with zeros.
class HeadRows {
 public:
  HeadRows(int planes, int width, int height, int capacity);

  int width() const { return width_; }
  int height() const { return height_; }

  // Row y from [planes] lines of values in [0, 1], `plane_size` values apart.
  void push(int y, const float* values, std::size_t plane_size);

  // The head's input for row y, [plane][ky][plane_stride(width)], gathered into `window`.
  void gather(int y, float* window) const;
  static std::size_t window_size(int planes, int width) { return 3 * planes * plane_stride(width); }

 private:
  std::size_t line(int plane, int y) const {
    return stride_ * (static_cast<std::size_t>(plane) * capacity_ + y % capacity_);
  }

  int count_, width_, height_, capacity_;
  std::size_t stride_;
  AlignedBuffer<float> rows_;  // [planes][capacity][stride]
};

}  // namespace scales
