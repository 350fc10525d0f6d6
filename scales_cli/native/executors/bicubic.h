// Bicubic upscaling along one axis: Keys' kernel, a = -1/2, half-pixel phases, mirrored edges.
#pragma once

#include <array>

namespace scales {

static constexpr int kTapsPerAxis = 4;

// Keys' kernel at the half-pixel phases of a scale, in multiples of 1 / denominator.
struct Phases {
  int denominator;
  std::array<int, 4> first;  // first tap of a phase, relative to the LR pixel it belongs to
  std::array<std::array<int, kTapsPerAxis>, 4> weight;

  explicit Phases(int scale) : denominator(0), first{}, weight{} {
    // Phase p lies at (2 p + 1 - scale) / (2 scale) from its pixel; for odd scales both sides are even.
    const int halves = scale % 2 == 0 ? 2 : 1, n = halves * scale;
    denominator = 2 * n * n * n;
    for (int p = 0; p < scale; ++p) {
      const int offset = (2 * p + 1 - scale) * halves / 2, whole = offset < 0 ? -1 : 0;
      first[p] = whole - 1;
      for (int tap = 0; tap < kTapsPerAxis; ++tap) {
        const int distance = offset - whole * n - (tap - 1) * n, q = distance < 0 ? -distance : distance;
        weight[p][tap] = q <= n ? 3 * q * q * q - 5 * q * q * n + 2 * n * n * n
                                : -q * q * q + 5 * q * q * n - 8 * q * n * n + 4 * n * n * n;
      }
    }
  }
};

inline int mirrored(int index, int length) {
  const int period = 2 * length, phase = ((index % period) + period) % period;
  return phase < length ? phase : period - 1 - phase;
}

}  // namespace scales
