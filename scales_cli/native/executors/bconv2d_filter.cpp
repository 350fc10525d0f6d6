#include "executors/bconv2d_filter.h"

#include <bitset>

namespace scales {
namespace {

int popcount(std::uint64_t word) {
  return static_cast<int>(std::bitset<64>(word).count());
}

void carry_save_words(const std::uint64_t* w, std::uint64_t* adders) {
  std::uint64_t parity[3];
  for (int k = 0; k < 3; ++k) {
    const std::uint64_t *group = w + 3 * k, first = group[0];
    adders[3 * k] = first;
    adders[3 * k + 1] = first ^ group[1];
    adders[3 * k + 2] = first ^ group[2];
    parity[k] = first ^ group[1] ^ group[2];
  }
  adders[9] = parity[0];
  adders[10] = parity[0] ^ parity[1];
  adders[11] = parity[0] ^ parity[2];
  adders[12] = parity[0] ^ parity[1] ^ parity[2];
}

// Adds output o's bits to those of its pair.
void pair_nibbles(const std::uint64_t* w, int o, std::uint8_t* pair) {
  for (int tap = 0; tap < kTaps; ++tap) {
    for (int k = 0; k < kNibbles; ++k) {
      const auto nibble = static_cast<unsigned>(w[tap] >> (4 * k) & 15);
      pair[(tap / 3 * kNibbles + k) * 3 + tap % 3] |= static_cast<std::uint8_t>(nibble << (4 * (o % 2)));
    }
  }
}

}  // namespace

BConv2DFilter::BConv2DFilter(const std::uint64_t* bits, int in_channels, int out_channels)
    : in_channels_(in_channels),
      out_channels_(out_channels),
      words_(word_count(in_channels)),
      taps_(static_cast<std::size_t>(words_) * out_channels * kTaps),
      adders_(static_cast<std::size_t>(words_) * out_channels * kAdderWords),
      pairs_(static_cast<std::size_t>(words_) * pair_count(out_channels) * kPairBytes),
      base_(16 * static_cast<std::size_t>(out_channels)),
      half_base_(16 * static_cast<std::size_t>(out_channels)) {
  const std::uint64_t last_word = last_word_mask(in_channels);
  for (int word = 0; word < words_; ++word) {
    for (int o = 0; o < out_channels; ++o) {
      const std::size_t filter = static_cast<std::size_t>(word) * out_channels + o;
      std::uint64_t* taps = taps_.data() + filter * kTaps;
      for (int tap = 0; tap < kTaps; ++tap) {
        taps[tap] = bits[(static_cast<std::size_t>(o) * kTaps + tap) * words_ + word];
        if (word == words_ - 1) taps[tap] &= last_word;
      }
      carry_save_words(taps, adders_.data() + filter * kAdderWords);
      pair_nibbles(
          taps, o,
          pairs_.data() + (static_cast<std::size_t>(word) * pair_count(out_channels) + o / 2) * kPairBytes);
    }
  }
  const BConv2DParams view = params();
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 4; ++column) {
      for (int o = 0; o < out_channels; ++o) {
        int sum = 0;
        for (int tap = 0; tap < kTaps; ++tap) {
          if (!is_outside(row, tap / 3) && !is_outside(column, tap % 3)) {
            sum += in_channels;
            continue;
          }
          for (int word = 0; word < words_; ++word) {
            sum += 2 * popcount(taps_[(static_cast<std::size_t>(word) * out_channels + o) * kTaps + tap]);
          }
        }
        base_[border_index(view, row, column) + o] = sum;
        half_base_[border_index(view, row, column) + o] = static_cast<float>((1 << 23) + sum / 2);
      }
    }
  }
}

BConv2DParams BConv2DFilter::params() const {
  return {in_channels_,   out_channels_, words_,       taps_.data(),
          adders_.data(), pairs_.data(), base_.data(), half_base_.data()};
}

}  // namespace scales
