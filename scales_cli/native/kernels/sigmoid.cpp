#include "kernels/sigmoid.h"

#include <cmath>
#include <cstdint>
#include <cstring>

namespace scales {

float exponential(float u) {
  using R = SigmoidRecipe;
  u = R::kLimit < u ? R::kLimit : u;  // NaN stays NaN
  u = -R::kLimit > u ? -R::kLimit : u;
  const float k = std::fma(u, R::kLog2E, R::kRound);
  const float n = k - R::kRound;
  const float r = std::fma(n, R::kLn2Low, std::fma(n, R::kLn2High, u));
  float p = R::kPoly[0];
  for (int i = 1; i < 6; ++i) p = std::fma(p, r, R::kPoly[i]);
  float e = std::fma(p, r * r, r) + 1.0F;
  std::uint32_t bits, shift;
  std::memcpy(&bits, &e, sizeof bits);
  std::memcpy(&shift, &k, sizeof shift);
  bits += shift << 23;
  std::memcpy(&e, &bits, sizeof e);
  return e;
}

float sigmoid(float t) {
  return 1.0F / (1.0F + exponential(-t));
}

}  // namespace scales
