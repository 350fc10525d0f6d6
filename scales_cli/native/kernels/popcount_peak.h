// The parameters of what a binary convolution is compared with.
#pragma once

namespace scales {

static constexpr int kPeakChains = 8;  // independent sums, as many as hide the latency

}  // namespace scales
