#include "executors/chroma.h"

#include <limits>
#include <vector>

#include "executors/bicubic.h"

namespace scales {
namespace {

constexpr int kEdge = 2;  // pixels beyond either side that a phase may read

// One plane's vertical sums for an output row, with the mirrored edge pixels on both sides.
void sum_column(const float* const lines[kTapsPerAxis], const float* weight, int width, float* sums) {
  const float *a = lines[0], *b = lines[1], *c = lines[2], *d = lines[3];
  float* centre = sums + kEdge;
  for (int x = 0; x < width; ++x) {
    centre[x] = weight[0] * a[x] + weight[1] * b[x] + weight[2] * c[x] + weight[3] * d[x];
  }
  for (int edge = 0; edge < kEdge; ++edge) {
    centre[-1 - edge] = centre[mirrored(-1 - edge, width)];
    centre[width + edge] = centre[mirrored(width + edge, width)];
  }
}

}  // namespace

template <class Sample>
void ycc_planes(const Picture<Sample>& picture, float* out) {
  luma(picture, out);
  constexpr double max = std::numeric_limits<Sample>::max();
  const std::size_t pixels = static_cast<std::size_t>(picture.height) * picture.width;
  const int green = picture.channels >= 3 ? 1 : 0, blue = 2 * green;
  float *cb = out + pixels, *cr = cb + pixels;
  for (std::size_t i = 0; i < pixels; ++i) {
    const Sample* pixel = picture.samples + i * picture.channels;
    const std::int64_t r = pixel[0], g = pixel[green], b = pixel[blue];
    cb[i] = static_cast<float>(static_cast<double>(-11059 * r - 21709 * g + 32768 * b) / (65536 * max) +
                               128.0 / 255);
    cr[i] = static_cast<float>(static_cast<double>(32768 * r - 27439 * g - 5329 * b) / (65536 * max) +
                               128.0 / 255);
  }
}

void spread_chroma(const float* luma, const ChromaRows& chroma, int scale, int begin, int end, float* out) {
  const Phases phases(scale);
  const int width = chroma.width;
  const std::size_t out_width = static_cast<std::size_t>(scale) * width, plane = out_width * (end - begin);
  float weight[4][kTapsPerAxis];
  for (int phase = 0; phase < scale; ++phase) {
    for (int tap = 0; tap < kTapsPerAxis; ++tap) {
      weight[phase][tap] =
          static_cast<float>(phases.weight[phase][tap]) / static_cast<float>(phases.denominator);
    }
  }
  std::vector<float> sums(2 * (width + 2 * static_cast<std::size_t>(kEdge)));
  float* const blue_sums = sums.data();
  float* const red_sums = blue_sums + width + 2 * kEdge;
  for (int y = begin; y < end; ++y) {
    const int row_phase = y % scale;
    const float *blue[kTapsPerAxis], *red[kTapsPerAxis];
    for (int tap = 0; tap < kTapsPerAxis; ++tap) {
      const int row = mirrored(y / scale + phases.first[row_phase] + tap, chroma.height) - chroma.first;
      blue[tap] = chroma.values + static_cast<std::size_t>(row) * width;
      red[tap] = blue[tap] + static_cast<std::size_t>(chroma.rows) * width;
    }
    sum_column(blue, weight[row_phase], width, blue_sums);
    sum_column(red, weight[row_phase], width, red_sums);
    const std::size_t line = out_width * (y - begin);
    for (int phase = 0; phase < scale; ++phase) {
      const float* w = weight[phase];
      const float *b = blue_sums + kEdge + phases.first[phase], *r = red_sums + kEdge + phases.first[phase];
      const float* y_line = luma + line + phase;
      float *red_line = out + line + phase, *green_line = red_line + plane, *blue_line = green_line + plane;
      for (int x = 0; x < width; ++x) {
        const float cb = w[0] * b[x] + w[1] * b[x + 1] + w[2] * b[x + 2] + w[3] * b[x + 3];
        const float cr = w[0] * r[x] + w[1] * r[x + 1] + w[2] * r[x + 2] + w[3] * r[x + 3];
        const std::size_t i = static_cast<std::size_t>(scale) * x;
        red_line[i] = y_line[i] + 1.402F * cr;
        green_line[i] = y_line[i] - (0.344136F * cb + 0.714136F * cr);
        blue_line[i] = y_line[i] + 1.772F * cb;
      }
    }
  }
}

template void ycc_planes(const Picture<std::uint8_t>&, float*);
template void ycc_planes(const Picture<std::uint16_t>&, float*);

}  // namespace scales
