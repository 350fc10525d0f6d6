#include "executors/popcount_peak.h"

#include <chrono>

namespace scales {

double xor_popcount_rate(const KernelTable& kernels, double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 1 << 14;  // some tens of microseconds: the clock costs nothing beside them
  std::uint64_t words[kPeakChains * 512 / kWordBits];
  for (std::uint64_t& word : words) word = 0x9E3779B97F4A7C15 * (&word - words + 1);
  const Clock::time_point begin = Clock::now();
  std::chrono::duration<double> elapsed{0};
  double products = 0;
  do {
    kernels.xor_popcount(words, kRounds);
    products += static_cast<double>(kRounds) * kPeakChains * kernels.peak_bits;
    elapsed = Clock::now() - begin;
  } while (elapsed.count() < seconds);
  return products / elapsed.count();
}

}  // namespace scales
