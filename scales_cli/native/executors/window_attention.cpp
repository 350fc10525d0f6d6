#include "executors/window_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace scales {
namespace {

// Tokens of one window in reading order: places in the picture, and in a whole window.
struct Tokens {
  std::vector<std::size_t> pixel;
  std::vector<int> place;
};

Tokens tokens_of(int top, int left, int window, int height, int width) {
  Tokens tokens;
  for (int y = std::max(top, 0); y < std::min(top + window, height); ++y) {
    for (int x = std::max(left, 0); x < std::min(left + window, width); ++x) {
      tokens.pixel.push_back(static_cast<std::size_t>(y) * width + x);
      tokens.place.push_back((y - top) * window + (x - left));
    }
  }
  return tokens;
}

}  // namespace

WindowAttention::WindowAttention(const float* bias, int heads, int window, int shift,
                                 const KernelTable& kernels)
    : kernels_(&kernels),
      heads_(heads),
      window_(window),
      shift_(shift),
      bias_(static_cast<std::size_t>(heads) * window * window * padded(window * window)) {
  const std::size_t tokens = static_cast<std::size_t>(window) * window, stride = padded(window * window);
  for (std::size_t row = 0; row < heads * tokens; ++row) {
    for (std::size_t key = 0; key < stride; ++key) {
      bias_[row * stride + key] =
          key < tokens ? bias[row * tokens + key] : -std::numeric_limits<float>::infinity();
    }
  }
}

int WindowAttention::window_rows(int height) const {
  return (height + shift_ + window_ - 1) / window_;
}

void WindowAttention::run(const float* query, const float* key, const float* value, int height, int width,
                          int channels, int begin, int end, float* out) const {
  const int head_channels = channels / heads_, padded_channels = padded(head_channels);
  const int most = window_ * window_, stride = padded(most);
  const float factor = 1.0F / std::sqrt(static_cast<float>(head_channels));
  AlignedBuffer<float> queries(static_cast<std::size_t>(most) * padded_channels),
      keys(static_cast<std::size_t>(head_channels) * stride),
      values(static_cast<std::size_t>(stride) * padded_channels),
      cut_bias(static_cast<std::size_t>(most) * stride), scores(static_cast<std::size_t>(kQueries) * stride),
      result(static_cast<std::size_t>(most) * padded_channels);
  std::vector<const float*> bias(most);

  for (int row = begin; row < end; ++row) {
    for (int left = -shift_; left < width; left += window_) {
      const Tokens tokens = tokens_of(row * window_ - shift_, left, window_, height, width);
      const int count = static_cast<int>(tokens.pixel.size()), padded_count = padded(count);
      for (int head = 0; head < heads_; ++head) {
        const std::size_t first = static_cast<std::size_t>(head) * head_channels;
        const float* head_bias = bias_.data() + static_cast<std::size_t>(head) * most * stride;
        for (int i = 0; i < padded_count; ++i) {
          float* row_value = values.data() + static_cast<std::size_t>(i) * padded_channels;
          if (i >= count) {
            for (int c = 0; c < head_channels; ++c) {
              keys[static_cast<std::size_t>(c) * padded_count + i] = 0;
              row_value[c] = 0;
            }
            continue;
          }
          const std::size_t pixel = tokens.pixel[i] * channels + first;
          float* row_query = queries.data() + static_cast<std::size_t>(i) * padded_channels;
          for (int c = 0; c < head_channels; ++c) {
            row_query[c] = query[pixel + c] * factor;
            keys[static_cast<std::size_t>(c) * padded_count + i] = key[pixel + c];
            row_value[c] = value[pixel + c];
          }
          const float* whole = head_bias + static_cast<std::size_t>(tokens.place[i]) * stride;
          bias[i] = whole;
          if (count == most) continue;
          float* cut = cut_bias.data() + static_cast<std::size_t>(i) * padded_count;
          for (int j = 0; j < padded_count; ++j) {
            cut[j] = j < count ? whole[tokens.place[j]] : -std::numeric_limits<float>::infinity();
          }
          bias[i] = cut;
        }
        kernels_->attend({count, head_channels, padded_count, padded_channels, queries.data(), keys.data(),
                          values.data(), bias.data(), scores.data(), result.data()});
        for (int i = 0; i < count; ++i) {
          std::copy_n(result.data() + static_cast<std::size_t>(i) * padded_channels, head_channels,
                      out + tokens.pixel[i] * channels + first);
        }
      }
    }
  }
}

}  // namespace scales
