#include "executors/addends.h"

#include "executors/bicubic.h"
#include "kernels/addend_loops.h"

namespace scales {

AddendRows::AddendRows(const Addends& addends, int height, int width, int channels, int scale, int begin,
                       int end)
    : addends_(addends),
      height_(height),
      begin_(begin),
      plane_size_(static_cast<std::size_t>(end - begin) * scale * width),
      addends_of_phase_(static_cast<std::size_t>(width) * channels + 1),
      chroma_sums_(addends.chroma == nullptr ? 0 : 2 * (width + 2 * kComposeEdge)),
      row_{} {
  const Phases phases(scale);
  RowGeometry& geometry = row_.geometry;
  geometry.width = width;
  geometry.scale = scale;
  for (int phase = 0; phase < scale; ++phase) {
    geometry.first_tap[phase] = phases.first[phase];
    for (int tap = 0; tap < kTapsPerAxis; ++tap) {
      row_.row_weight[phase][tap] =
          static_cast<float>(phases.weight[phase][tap]) / static_cast<float>(phases.denominator);
    }
  }
  for (int edge = 0; edge < kComposeEdge; ++edge) {
    geometry.left_mirror[edge] = mirrored(-1 - edge, width);
    geometry.right_mirror[edge] = mirrored(width + edge, width);
  }
  row_.channels = channels;
  row_.addends = addends_of_phase_.data();
  for (int plane = 0; plane < 2 && addends.chroma != nullptr; ++plane) {
    row_.chroma_sums[plane] = chroma_sums_.data() + chroma_sums_.size() / 2 * plane;
  }
}

const AddendRow& AddendRows::row(int y) {
  const int scale = row_.geometry.scale, width = row_.geometry.width, phase = y % scale;
  for (int c = 0; addends_.planes != nullptr && c < row_.channels; ++c) {
    const std::size_t plane = addends_.count == 1 ? 0 : plane_size_ * c;
    row_.residual[c] = addends_.planes + plane + static_cast<std::size_t>(y - begin_) * scale * width;
  }
  for (int tap = 0; addends_.chroma != nullptr && tap < kTapsPerAxis; ++tap) {
    row_.column_weight[tap] = row_.row_weight[phase][tap];
    const int lr_row = mirrored(y / scale + row_.geometry.first_tap[phase] + tap, height_);
    for (std::size_t plane = 0; plane < 2; ++plane) {
      const std::size_t line = addends_.chroma_rows * plane + (lr_row - addends_.chroma_first);
      row_.chroma[plane][tap] = addends_.chroma + line * width;
    }
  }
  if (addends_.weights != nullptr) {
    row_.weights = addends_.weights + static_cast<std::size_t>(y / scale - begin_ / scale) * width;
  }
  return row_;
}

bool spread_addends(const Addends& addends, int height, int width, int channels, int scale, int begin,
                    int end, float* out) {
  AddendRows rows(addends, height, width, channels, scale, begin, end);
  bool finite = true;
  for (int y = begin; y < end; ++y) {
    const AddendRow& row = rows.row(y);
    finite &= begin_addends(row);
    for (int phase = 0; phase < scale; ++phase) {
      spread_addends(row, phase);
      with_count(channels, [&](auto count) {
        for (int x = 0; x < width; ++x) {
          float* pixel = out + (static_cast<std::size_t>(scale) * x + phase) * count;
          for (int c = 0; c < count; ++c) pixel[c] = row.addends[count * x + c];
        }
      });
    }
    out += static_cast<std::size_t>(scale) * width * channels;
  }
  return finite;
}

}  // namespace scales
