#include "executors/composition.h"

#include <limits>
#include <vector>

#include "executors/bicubic.h"

namespace scales {
namespace {

template <class Sample>
struct Composition;

template <>
struct Composition<std::uint8_t> {
  using Sum = std::int32_t;  // 255 * 1024^2 * 1.25^2 < 2^31
  static constexpr auto kRow = &KernelTable::compose_row8;
};

template <>
struct Composition<std::uint16_t> {
  using Sum = std::int64_t;
  static constexpr auto kRow = &KernelTable::compose_row16;
};

}  // namespace

template <class Sample>
void compose(const KernelTable& kernels, const Picture<Sample>& picture, const float* residual,
             int residual_channels, int scale, int begin, int end, Sample* out) {
  using Sum = typename Composition<Sample>::Sum;
  const Phases phases(scale);
  const int width = picture.width, channels = picture.channels;
  const std::size_t samples = static_cast<std::size_t>(width) * channels,
                    out_width = static_cast<std::size_t>(scale) * width;
  std::vector<Sum> sums(samples + 2 * kComposeEdge * channels);
  std::vector<float> addends(samples + 1);
  std::vector<Sample> rounded(scale * samples + 1);

  ComposeRow<Sample, Sum> row{};
  row.width = width;
  row.channels = channels;
  row.scale = scale;
  for (int phase = 0; phase < scale; ++phase) {
    row.first_tap[phase] = phases.first[phase];
    for (int tap = 0; tap < kTapsPerAxis; ++tap) row.row_weight[phase][tap] = phases.weight[phase][tap];
  }
  for (int edge = 0; edge < kComposeEdge; ++edge) {
    row.left_mirror[edge] = mirrored(-1 - edge, width);
    row.right_mirror[edge] = mirrored(width + edge, width);
  }
  row.denominator = static_cast<double>(phases.denominator) * phases.denominator;
  row.sums = sums.data();
  row.addends = addends.data();
  row.rounded = rounded.data();
  for (int y = begin; y < end; ++y) {
    const int phase = y % scale;
    for (int tap = 0; tap < kTapsPerAxis; ++tap) {
      row.lines[tap] =
          picture.samples + samples * mirrored(y / scale + phases.first[phase] + tap, picture.height);
      row.column_weight[tap] = phases.weight[phase][tap];
    }
    for (int c = 0; residual != nullptr && c < channels; ++c) {
      const std::size_t plane = residual_channels == 1 ? 0 : static_cast<std::size_t>(c) * (end - begin);
      row.residual[c] = residual + (plane + (y - begin)) * out_width;
    }
    row.out = out + scale * samples * (y - begin);
    (kernels.*Composition<Sample>::kRow)(row);
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

template void compose(const KernelTable&, const Picture<std::uint8_t>&, const float*, int, int, int, int,
                      std::uint8_t*);
template void compose(const KernelTable&, const Picture<std::uint16_t>&, const float*, int, int, int, int,
                      std::uint16_t*);
template void luma(const Picture<std::uint8_t>&, float*);
template void luma(const Picture<std::uint16_t>&, float*);

}  // namespace scales
