#include "composition.h"

#include <array>
#include <limits>
#include <type_traits>
#include <vector>

namespace scales {
namespace {

constexpr int kTapsPerAxis = 4;

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

int mirrored(int index, int length) {
  const int period = 2 * length, phase = ((index % period) + period) % period;
  return phase < length ? phase : period - 1 - phase;
}

constexpr int kEdge = 2;  // pixels beyond either side that a phase may read

// Σ over the vertical taps, with the mirrored edge pixels on both sides.
template <class Sample, class Sum>
void upscale_columns(const Picture<Sample>& picture, const Phases& phases, int scale, int row, Sum* sums) {
  const std::size_t samples = static_cast<std::size_t>(picture.width) * picture.channels;
  const std::array<int, kTapsPerAxis>& weight = phases.weight[row % scale];
  const Sample* lines[kTapsPerAxis];
  for (int tap = 0; tap < kTapsPerAxis; ++tap) {
    const int y = mirrored(row / scale + phases.first[row % scale] + tap, picture.height);
    lines[tap] = picture.samples + samples * y;
  }
  Sum* centre = sums + static_cast<std::size_t>(kEdge) * picture.channels;
  for (std::size_t i = 0; i < samples; ++i) {
    centre[i] = static_cast<Sum>(weight[0]) * lines[0][i] + static_cast<Sum>(weight[1]) * lines[1][i] +
                static_cast<Sum>(weight[2]) * lines[2][i] + static_cast<Sum>(weight[3]) * lines[3][i];
  }
  for (int edge = 1; edge <= kEdge; ++edge) {
    const std::ptrdiff_t left = mirrored(-edge, picture.width), right = mirrored(picture.width - 1 + edge, picture.width);
    for (std::ptrdiff_t c = 0; c < picture.channels; ++c) {
      centre[-edge * picture.channels + c] = centre[left * picture.channels + c];
      centre[static_cast<std::ptrdiff_t>(samples) + (edge - 1) * picture.channels + c] =
          centre[right * picture.channels + c];
    }
  }
}

// One output row of bicubic numerators, over denominator^2.
template <class Sum>
void upscale_row(const Sum* sums, const Phases& phases, int scale, int width, int channels, Sum* numerators) {
  const std::size_t step = static_cast<std::size_t>(scale) * channels;
  for (int p = 0; p < scale; ++p) {
    const Sum w0 = phases.weight[p][0], w1 = phases.weight[p][1], w2 = phases.weight[p][2], w3 = phases.weight[p][3];
    const Sum* source = sums + static_cast<std::ptrdiff_t>(kEdge + phases.first[p]) * channels;
    for (int c = 0; c < channels; ++c) {
      Sum* target = numerators + static_cast<std::size_t>(p) * channels + c;
      for (int x = 0; x < width; ++x) {
        const Sum* tap = source + static_cast<std::size_t>(x) * channels + c;
        target[step * x] = w0 * tap[0] + w1 * tap[channels] + w2 * tap[2 * channels] + w3 * tap[3 * channels];
      }
    }
  }
}

template <class Sample, class Sum>
void round_row(const Sum* numerators, const double* offset, double denominator, std::size_t count, Sample* out) {
  constexpr double max = std::numeric_limits<Sample>::max();
  for (std::size_t i = 0; i < count; ++i) {
    double value = static_cast<double>(numerators[i]) / denominator + offset[i] + 0.5;
    value = value > 0 ? value : 0;  // NaN becomes 0
    value = value < max ? value : max;
    out[i] = static_cast<Sample>(static_cast<int>(value));
  }
}

}  // namespace

template <class Sample>
void compose(const Picture<Sample>& picture, const float* residual, int residual_channels, int scale, int begin, int end,
             Sample* out) {
  // 8 bits: 255 * 1024^2 * 1.25^2 < 2^31.
  using Sum = std::conditional_t<sizeof(Sample) == 1, std::int32_t, std::int64_t>;
  constexpr double max = std::numeric_limits<Sample>::max();
  const Phases phases(scale);
  const int channels = picture.channels;
  const double denominator = static_cast<double>(phases.denominator) * phases.denominator;
  const std::size_t out_width = static_cast<std::size_t>(scale) * picture.width, count = out_width * channels;
  std::vector<Sum> sums(static_cast<std::size_t>(picture.width + 2 * kEdge) * channels), numerators(count);
  std::vector<double> offset(count);
  for (int row = begin; row < end; ++row) {
    upscale_columns(picture, phases, scale, row, sums.data());
    upscale_row(sums.data(), phases, scale, picture.width, channels, numerators.data());
    if (residual != nullptr) {
      for (int c = 0; c < channels; ++c) {
        const std::size_t plane = residual_channels == 1 ? 0 : static_cast<std::size_t>(c) * (end - begin);
        const float* source = residual + (plane + (row - begin)) * out_width;
        for (std::size_t x = 0; x < out_width; ++x) offset[x * channels + c] = static_cast<double>(source[x]) * max;
      }
    }
    round_row(numerators.data(), offset.data(), denominator, count, out + count * (row - begin));
  }
}

template <class Sample>
void luma(const Picture<Sample>& picture, float* out) {
  constexpr double max = std::numeric_limits<Sample>::max();
  const std::size_t pixels = static_cast<std::size_t>(picture.height) * picture.width;
  const int green = picture.channels >= 3 ? 1 : 0, blue = 2 * green;
  for (std::size_t i = 0; i < pixels; ++i) {
    const Sample* pixel = picture.samples + i * picture.channels;
    const std::int64_t sum = std::int64_t{19595} * pixel[0] + std::int64_t{38470} * pixel[green] +
                             std::int64_t{7471} * pixel[blue];
    out[i] = static_cast<float>(static_cast<double>(sum) / (65536 * max));
  }
}

template void compose(const Picture<std::uint8_t>&, const float*, int, int, int, int, std::uint8_t*);
template void compose(const Picture<std::uint16_t>&, const float*, int, int, int, int, std::uint16_t*);
template void luma(const Picture<std::uint8_t>&, float*);
template void luma(const Picture<std::uint16_t>&, float*);

}  // namespace scales
