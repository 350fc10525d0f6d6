#include "executors/planes.h"

#include <limits>

namespace scales {

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

template void luma(const Picture<std::uint8_t>&, float*);
template void luma(const Picture<std::uint16_t>&, float*);
template void ycc_planes(const Picture<std::uint8_t>&, float*);
template void ycc_planes(const Picture<std::uint16_t>&, float*);

}  // namespace scales
