// Sums of residuals in fixed point, whose order does not matter.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scales {

// Residuals are rounded to multiples of 2^-24, halves away from zero, and held within -8 and 8: sums of eight are
// exact in 32 bits.
static constexpr float kResidualUnits = 1 << 24, kLargestResidual = 8;

// Where pixel (0, 0) of a plane is added, and the steps from row to row and from pixel to pixel in values. A
// turned picture's steps are exchanged or negative.
struct SumPlane {
  std::int32_t* origin;
  std::ptrdiff_t row_step, pixel_step;
};

// Adds values [rows][columns]; false if one of them is infinite or no number, whose sum then means nothing.
bool add_residual(const float* added, int rows, int columns, const SumPlane& sums);

}  // namespace scales
