#include "executors/residual_sum.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace scales {
namespace {

constexpr int kBlock = 32;  // pixels of a side: two blocks fit in the first cache whichever way they are read
constexpr std::int32_t kInfinity = 0x7f800000, kMagnitude = 0x7fffffff;  // of the bits of a float

std::int32_t bits_of(float value) {
  std::int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Fixed point of `count` values; returns the bits of the largest magnitude. The order of magnitudes is that of their
// bits, in whose arithmetic there is nothing that could keep a compiler from vectors.
std::int32_t round_values(const float* values, int count, std::int32_t* rounded) {
  const std::int32_t limit = bits_of(kLargestResidual);
  std::int32_t largest = 0;
  for (int i = 0; i < count; ++i) {
    const std::int32_t bits = bits_of(values[i]), magnitude = bits & kMagnitude, sign = bits >> 31;
    largest = magnitude > largest ? magnitude : largest;
    const std::int32_t below = (magnitude - limit) >> 31;  // all bits, or none
    const std::int32_t held = (magnitude & below) | (limit & ~below);
    float value;
    std::memcpy(&value, &held, sizeof value);
    const auto halves = static_cast<std::int32_t>(2 * kResidualUnits * value);
    rounded[i] = (((halves + 1) >> 1) ^ sign) - sign;
  }
  return largest;
}

// Wraps around where sums are not those of eight residuals.
void add(std::int32_t& sum, std::int32_t value) {
  sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(value));
}

}  // namespace

bool add_residual(const float* added, int rows, int columns, const SumPlane& sums) {
  std::int32_t block[kBlock][kBlock], largest = 0;
  for (int top = 0; top < rows; top += kBlock) {
    const int height = std::min(kBlock, rows - top);
    for (int left = 0; left < columns; left += kBlock) {
      const int width = std::min(kBlock, columns - left);
      for (int y = 0; y < height; ++y) {
        const float* line = added + static_cast<std::size_t>(top + y) * columns + left;
        largest = std::max(largest, round_values(line, width, block[y]));
      }
      std::int32_t* target = sums.origin + top * sums.row_step + left * sums.pixel_step;
      if (std::abs(sums.pixel_step) == 1) {
        for (int y = 0; y < height; ++y, target += sums.row_step) {
          for (int x = 0; x < width; ++x) add(target[x * sums.pixel_step], block[y][x]);
        }
      } else {
        for (int x = 0; x < width; ++x, target += sums.pixel_step) {
          for (int y = 0; y < height; ++y) add(target[y * sums.row_step], block[y][x]);
        }
      }
    }
  }
  return largest < kInfinity;
}

}  // namespace scales
