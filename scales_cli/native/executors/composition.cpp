#include "executors/composition.h"

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
bool compose(const KernelTable& kernels, const Picture<Sample>& picture, const Addends& addends, int scale,
             int begin, int end, Sample* out) {
  using Sum = typename Composition<Sample>::Sum;
  const Phases phases(scale);
  const int width = picture.width, channels = picture.channels;
  const std::size_t samples = static_cast<std::size_t>(width) * channels;
  AddendRows added(addends, picture.height, width, channels, scale, begin, end);
  std::vector<Sum> sums(samples + 2 * kComposeEdge * channels);
  std::vector<Sample> rounded(scale * samples + 1);

  ComposeRow<Sample, Sum> row{};
  for (int phase = 0; phase < scale; ++phase) {
    for (int tap = 0; tap < kTapsPerAxis; ++tap) row.row_weight[phase][tap] = phases.weight[phase][tap];
  }
  row.denominator = static_cast<double>(phases.denominator) * phases.denominator;
  row.sums = sums.data();
  row.rounded = rounded.data();
  bool finite = true;
  for (int y = begin; y < end; ++y) {
    const int phase = y % scale;
    for (int tap = 0; tap < kTapsPerAxis; ++tap) {
      row.lines[tap] =
          picture.samples + samples * mirrored(y / scale + phases.first[phase] + tap, picture.height);
      row.column_weight[tap] = phases.weight[phase][tap];
    }
    row.added = added.row(y);
    row.out = out + scale * samples * (y - begin);
    finite &= (kernels.*Composition<Sample>::kRow)(row);
  }
  return finite;
}

template bool compose(const KernelTable&, const Picture<std::uint8_t>&, const Addends&, int, int, int,
                      std::uint8_t*);
template bool compose(const KernelTable&, const Picture<std::uint16_t>&, const Addends&, int, int, int,
                      std::uint16_t*);

}  // namespace scales
