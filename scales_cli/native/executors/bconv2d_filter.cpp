#include "executors/bconv2d_filter.h"

#include <algorithm>
#include <bitset>
#include <vector>

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

// Of the weights that read one word of activations.
std::size_t word_bytes(WeightForm form, int outputs) {
  switch (form) {
    case WeightForm::kTaps:
      return outputs * kTaps * sizeof(std::uint64_t);
    case WeightForm::kAdders:
      return outputs * kAdderWords * sizeof(std::uint64_t);
    case WeightForm::kPairs:
      return static_cast<std::size_t>(pair_count(outputs)) * kPairBytes;
  }
  return 0;
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

BConv2DFilter::BConv2DFilter(const std::uint64_t* bits, int in_channels, int out_channels, WeightForm form)
    : in_channels_(in_channels),
      out_channels_(out_channels),
      words_(word_count(in_channels)),
      weights_(words_ * word_bytes(form, out_channels)),
      base_(16 * static_cast<std::size_t>(out_channels)),
      half_base_(16 * static_cast<std::size_t>(out_channels)) {
  std::vector<int> set_bits(static_cast<std::size_t>(out_channels) * kTaps);
  for (int word = 0; word < words_; ++word) {
    const std::uint64_t valid = word == words_ - 1 ? last_word_mask(in_channels) : ~std::uint64_t{0};
    for (int o = 0; o < out_channels; ++o) {
      std::uint64_t taps[kTaps];
      for (int tap = 0; tap < kTaps; ++tap) {
        const std::size_t place = static_cast<std::size_t>(o) * kTaps + tap;
        taps[tap] = bits[place * words_ + word] & valid;
        set_bits[place] += popcount(taps[tap]);
      }
      std::uint8_t* of_word = weights_.data() + word * word_bytes(form, out_channels);
      switch (form) {
        case WeightForm::kTaps:
          std::copy_n(taps, kTaps, reinterpret_cast<std::uint64_t*>(of_word) + o * kTaps);
          break;
        case WeightForm::kAdders:
          carry_save_words(taps, reinterpret_cast<std::uint64_t*>(of_word) + o * kAdderWords);
          break;
        case WeightForm::kPairs:
          pair_nibbles(taps, o, of_word + o / 2 * kPairBytes);
          break;
      }
    }
  }
  const BConv2DParams view = params();
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 4; ++column) {
      for (int o = 0; o < out_channels; ++o) {
        int sum = 0;
        for (int tap = 0; tap < kTaps; ++tap) {
          const bool outside = is_outside(row, tap / 3) || is_outside(column, tap % 3);
          sum += outside ? 2 * set_bits[static_cast<std::size_t>(o) * kTaps + tap] : in_channels;
        }
        base_[border_index(view, row, column) + o] = sum;
        half_base_[border_index(view, row, column) + o] = static_cast<float>((1 << 23) + sum / 2);
      }
    }
  }
}

BConv2DParams BConv2DFilter::params() const {
  return {in_channels_, out_channels_, words_, weights_.data(), base_.data(), half_base_.data()};
}

}  // namespace scales
