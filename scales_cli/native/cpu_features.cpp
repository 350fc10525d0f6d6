#include "cpu_features.h"

#include <cstdint>
#include <initializer_list>

#ifdef SCALES_X86
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace scales {

#ifdef SCALES_X86
namespace {

struct CpuidLeaf {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zeros where the CPU has no such leaf.
CpuidLeaf cpuid(std::uint32_t leaf) {
  CpuidLeaf result;
#ifdef _MSC_VER
  int registers[4];
  __cpuid(registers, 0);
  if (static_cast<std::uint32_t>(registers[0]) < leaf) return result;
  __cpuidex(registers, static_cast<int>(leaf), 0);
  result = {static_cast<std::uint32_t>(registers[0]), static_cast<std::uint32_t>(registers[1]),
            static_cast<std::uint32_t>(registers[2]), static_cast<std::uint32_t>(registers[3])};
#else
  __get_cpuid_count(leaf, 0, &result.eax, &result.ebx, &result.ecx, &result.edx);
#endif
  return result;
}

constexpr bool has(std::uint64_t word, std::initializer_list<int> bits) {
  for (const int bit : bits) {
    if ((word >> bit & 1) == 0) return false;
  }
  return true;
}

}  // namespace

// Bit numbers are those of Intel's manual, volume 2A (CPUID) and volume 1, 13.3 (XCR0).
CpuFeatures CpuFeatures::detect() {
  CpuFeatures features;
  const CpuidLeaf basic = cpuid(1), extended = cpuid(7);
  const bool xgetbv = has(basic.ecx, {27});  // OSXSAVE: without it the instruction faults
  const std::uint64_t state = xgetbv ? _xgetbv(0) : 0;
  const bool ymm = has(state, {1, 2});
  // macOS turns these on at a thread's first AVX-512 instruction only: Intel Macs run AVX2.
  const bool zmm = ymm && has(state, {5, 6, 7});
  features.avx2_fma = ymm && has(basic.ecx, {12, 28}) && has(extended.ebx, {5});           // FMA, AVX; AVX2
  features.avx512_base = features.avx2_fma && zmm && has(extended.ebx, {16, 17, 30, 31});  // F, DQ, BW, VL
  features.avx512_bits =
      features.avx512_base && has(extended.ecx, {1, 8, 11, 14});  // VBMI, GFNI, VNNI, VPOPCNTDQ
  return features;
}

#else

CpuFeatures CpuFeatures::detect() {
  CpuFeatures features;
#ifdef SCALES_NEON
  features.neon = true;  // part of the AArch64 baseline
#endif
  return features;
}

#endif

}  // namespace scales
